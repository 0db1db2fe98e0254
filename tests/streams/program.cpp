#include "streams/program.h"

#include <algorithm>
#include <istream>
#include <iterator>
#include <sstream>

namespace gmlake::streams {
namespace {

constexpr const char* kNames[] = {
#define X(name) #name,
    GMLAKE_STREAMS_OPERATIONS(X)
#undef X
};

}  // namespace

std::string to_text(const Operation& operation) {
  std::ostringstream out;
  out << kNames[static_cast<unsigned>(operation.kind)] << ' ' << operation.thread << ' '
      << operation.a << ' ' << operation.b << ' ' << operation.c << ' '
      << static_cast<unsigned>(operation.overlap) << ' ' << operation.inner << '\n';
  return out.str();
}

std::string to_text(const Program& program) {
  std::string text;
  for (const auto& operation : program) text += to_text(operation);
  return text;
}

std::optional<Program> parse(std::istream& text) {
  Program program;
  std::string name;
  while (text >> name) {
    const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
    Operation o;
    unsigned overlap = 0;
    if (found == std::end(kNames) ||
        !(text >> o.thread >> o.a >> o.b >> o.c >> overlap >> o.inner) || overlap > 2)
      return {};
    o.kind = static_cast<Kind>(found - std::begin(kNames));
    o.overlap = static_cast<Overlap>(overlap);
    program.push_back(o);
  }
  return program;
}

}  // namespace gmlake::streams
