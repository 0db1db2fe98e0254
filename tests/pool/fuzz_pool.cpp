// libFuzzer's way to the programs of program.h: bytes become settings and operations, which run in
// this process (interpreter.h). A step costs four bytes: what, a number of two bytes, and one more.
//
// GMLAKE_TEST_PRINT=1 prints the program first, so that `fuzz_pool CRASH` tells what pool_test can
// run and cut down.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "pool/interpreter.h"

namespace gmlake::testing {
namespace {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  bool empty() const { return at_ == end_; }
  std::uint64_t byte() { return empty() ? 0 : *at_++; }
  std::uint64_t two() { return byte() << 8 | byte(); }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

Settings settings_from(Input& input) {
  constexpr std::array<Bytes, 3> kLargest{2 * MiB, 8 * MiB, 32 * MiB};
  constexpr std::array<std::uint64_t, 4> kPieces{1024, 2, 3, 8};
  constexpr std::array<Bytes, 3> kWorth{MiB, 0, GiB};
  Settings settings;
  const auto flags = input.byte(), bounds = input.byte();
  settings.stitch = (flags & 1) == 0;
  settings.reuse_completed = (flags & 2) == 0;
  settings.synchronous = (flags & 4) != 0;
  settings.unhurried = (flags & 8) == 0;
  settings.context_events = (flags & 16) == 0;
  settings.limit = (flags & 32) != 0 ? settings.memory / 2 : 0;
  settings.windows = (flags & 64) != 0 ? 2 : 16384;
  settings.single = (flags & 128) != 0;
  settings.loans = (bounds & 128) != 0;
  settings.largest = kLargest[bounds % kLargest.size()];
  settings.pieces = kPieces[bounds / 3 % kPieces.size()];
  settings.worth = kWorth[bounds / 12 % kWorth.size()];
  return settings;
}

// Half of the sizes are whole units, so that equal ones and exact fits come by.
Bytes size_from(std::uint64_t number) {
  constexpr std::array<Bytes, 4> kUnits{512, 64 * KiB, MiB, 2 * MiB};
  const Bytes unit = kUnits[number % 4];
  const Bytes size = (1 + number / 8 % 24) * unit;
  return number / 4 % 2 == 0 ? size : size - number / 192 % std::min<Bytes>(size, 4096);
}

Program program_from(Input input) {
  constexpr std::size_t kMost = 1000;
  Program program;
  program.settings = settings_from(input);
  while (!input.empty() && program.operations.size() < kMost) {
    Operation operation;
    operation.kind = static_cast<Kind>(input.byte() % static_cast<unsigned>(Kind::kCount));
    operation.a = input.two();
    operation.b = input.byte();
    if (operation.kind == Kind::allocate) operation.a = size_from(operation.a);
    if (operation.kind == Kind::trim) operation.a %= program.settings.memory / MiB;
    if (operation.kind == Kind::trim) operation.a *= MiB;
    program.operations.push_back(operation);
  }
  return program;
}

}  // namespace
}  // namespace gmlake::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gmlake::testing;
  const auto program = program_from(Input(data, size));
  if (std::getenv("GMLAKE_TEST_PRINT")) std::fputs(to_text(program).c_str(), stderr);
  Outcome outcome;
  run_program(program, outcome);
  if (outcome.failed) {
    std::fprintf(stderr, "operation %llu: %s\n", static_cast<unsigned long long>(outcome.step),
                 outcome.what);
    std::abort();
  }
  return 0;
}
