#include "streams/shrink.h"

#include <algorithm>

#include "streams/model.h"

namespace gmlake::streams {
Program without(const Program& program, std::size_t first, std::size_t count) {
  Program rest;
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (i >= first && i < first + count) continue;
    auto o = program[i];
    const auto inner_end = i + 1 + o.inner;
    for (auto j = std::max(i + 1, first); j < std::min(inner_end, first + count); ++j) --o.inner;
    if (o.inner == 0) o.overlap = Overlap::none;
    rest.push_back(o);
  }
  return rest;
}

Program shrink(Program program, const std::function<bool(const Program&)>& fails) {
  const auto smaller = [&](const Program& candidate) {
    if (candidate.empty() || what_is_wrong(candidate) || !fails(candidate)) return false;
    program = candidate;
    return true;
  };
  for (bool again = true; again;) {
    again = false;
    for (std::size_t count = std::max<std::size_t>(1, program.size() / 2); count != 0; count /= 2)
      for (std::size_t end = program.size(); end >= count && end <= program.size();) {
        if (smaller(without(program, end - count, count)))
          again = true, end = std::min(end, program.size());
        else
          --end;
      }
  }
  return program;
}

}  // namespace gmlake::streams
