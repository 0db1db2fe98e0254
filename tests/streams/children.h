// Programs in processes of their own, as many as there are processors at a time: each process has
// gmlake in front of it or has not, with settings that go by the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gmlake::streams {

// Seeds that share a process, and so the settings of the library.
constexpr std::uint64_t kBatch = 25;

struct Child {
  std::uint64_t seed = 0;              // the first
  std::string library;                 // that is preloaded; empty: none
  std::string fault;                   // of the library that has them; empty: none
  std::vector<std::string> arguments;  // of this executable
};
struct Outcome {
  int status = 0;      // 128 + the signal that ended it
  std::string output;  // stdout and stderr
};

// Runs what `next` gives until it gives no more or `done` says false.
void run_children(const std::function<bool(Child&)>& next,
                  const std::function<bool(const Child&, const Outcome&)>& done);
Outcome run_child(const Child& child);
// The same for people: a command line.
std::string command_of(const Child& child);

}  // namespace gmlake::streams
