#include "schedule.h"

#include <algorithm>
#include <unordered_set>

namespace gmlake::simcuda {
namespace {

constexpr unsigned kAll = ~0U;

// `wanted` and everything it waits for.
std::unordered_set<const Operation*> needed_for(const OperationRef& wanted) {
  std::unordered_set<const Operation*> needed{wanted.get()};
  std::vector<const Operation*> open{wanted.get()};
  while (!open.empty()) {
    const Operation* operation = open.back();
    open.pop_back();
    for (const OperationRef& earlier : operation->before)
      if (!earlier->done && needed.insert(earlier.get()).second) open.push_back(earlier.get());
  }
  return needed;
}

}  // namespace

unsigned Schedule::steps_when_given() {
  switch (manner_) {
    case Manner::late:
      return 0;
    case Manner::prompt:
      return kAll;
    case Manner::random:
    case Manner::overtaking:
      break;
  }
  return draw(2) == 0 ? 0 : static_cast<unsigned>(draw(4));
}

unsigned Schedule::steps_when_asked() {
  return manner_ == Manner::prompt ? kAll : draw(4) == 0 ? 1 : 0;
}

std::uint64_t Schedule::priority(const Operation& operation) {
  const std::uint64_t stream = operation.stream != nullptr ? operation.stream->id : 0;
  const auto [known, added] = priorities_.try_emplace(stream, 0);
  if (added || draw(64) == 0) known->second = random_();
  return known->second;
}

OperationRef Schedule::choose(const std::vector<OperationRef>& ready, const OperationRef& wanted) {
  if (manner_ == Manner::late && wanted != nullptr) {
    // As little as possible: what nobody waits for stays behind.
    const auto needed = needed_for(wanted);
    const auto first = std::find_if(ready.begin(), ready.end(), [&](const OperationRef& one) {
      return needed.contains(one.get());
    });
    return first != ready.end() ? *first : nullptr;
  }
  if (manner_ == Manner::overtaking) {
    OperationRef best;
    std::uint64_t highest = 0;
    for (const OperationRef& one : ready)
      if (const auto its = priority(*one); best == nullptr || its > highest) {
        best = one;
        highest = its;
      }
    return best;
  }
  return ready[manner_ == Manner::random ? draw(ready.size()) : 0];
}

}  // namespace gmlake::simcuda
