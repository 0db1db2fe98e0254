// Runs programs, each in a process of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pair.h"

namespace gmlake::mutants {

// One run: which of the twins, and with which seed of the deterministic mode. Without a seed the
// device has threads.
struct Run {
  const Pair* pair = nullptr;
  Twin twin = Twin::wrong;
  std::optional<std::uint64_t> seed{};
};

struct Outcome {
  int status = 0;      // of the process; 128 + the signal that ended it
  std::string output;  // what it wrote to stderr
};

// Sets the environment of a run, runs the program and ends the process.
[[noreturn]] void become(const Run& run);

// As many at a time as there are processors. The calling process may have one thread only.
std::vector<Outcome> run_all(const std::vector<Run>& runs);

// How to repeat a run by hand.
std::string command_of(const Run& run);

}  // namespace gmlake::mutants
