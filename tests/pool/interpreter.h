// Runs a program on the pool over a device in memory and checks every invariant after each step.
// What is wrong comes back as a value; try_program runs it in a process of its own, so that an
// abort or a crash is a value too.
#pragma once

#include <string>

#include "pool/fake_device.h"
#include "pool/program.h"

namespace gmlake::testing {

struct Outcome {
  bool over = false;
  bool failed = false;
  std::uint64_t step = 0;  // the operation that was under way
  char what[240] = "";
  // That the interesting paths were taken.
  std::uint64_t stitches = 0, windows = 0, crossings = 0, faults = 0, trims = 0;
  std::uint64_t proofs = 0, inserted_waits = 0, ends = 0, cuts = 0, loans = 0;
  // By function of kFunctions: how often it was called.
  std::uint64_t calls[kFunctionCount] = {};
  // The places that made calls; as many as there are, the others have no address.
  struct Place : FakeDevice::Place {
    const void* from = nullptr;
  };
  Place places[64];
};

// One function that fails from outside of the program.
struct Injection {
  const char* function = "";
  std::uint64_t after = 0;      // so many calls of it succeed first
  std::uint64_t times = ~0ULL;  // and so many fail then
  const char* also = "";        // another one that fails always
  bool to_the_end = false;      // the pool's own end included; else the pool must recover
};

// At the program's end the faults are over (unless they are to last): all blocks are freed, and the
// pool must give everything back and serve a request again.
void run_program(const Program& program, Outcome& outcome, const Injection& injection = {});
Outcome try_program(const Program& program, const Injection& injection = {});
// One after the other: another process is needed only behind a crash.
std::vector<Outcome> try_programs(const Program& program, const std::vector<Injection>& each);
// A shorter program that fails too.
Program shrink(Program program);

}  // namespace gmlake::testing
