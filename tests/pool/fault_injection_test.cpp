// Every driver call the pool makes fails in turn: short programs that together reach every place a
// call is made at, each run once for every call it makes, with that call failing alone, with it and
// all later ones of its function failing, and with that lasting to the pool's end.
//
// What must hold is checked by the interpreter after every operation: no byte in two hands, no work
// overtaken, the driver's own error for the program, counters that agree with the device. At the
// end nothing is left at the device but what itself could not be given back, and once the faults
// are over the pool gives all of its memory back and serves again.
#include <gtest/gtest.h>

#include <string>

#include "pool/interpreter.h"

namespace gmlake::testing {
namespace {

using enum Kind;

struct Scenario {
  const char* name;
  Program program;
};

Settings with(void (*change)(Settings&) = [](Settings&) {}) {
  Settings settings;
  settings.memory = 40 * MiB;
  settings.largest = 8 * MiB;
  change(settings);
  return settings;
}

// Four blocks fill the device; two that are not neighbours are freed and make one block of 20 MiB.
std::vector<Operation> stitched(std::vector<Operation> then) {
  std::vector<Operation> all{{allocate, 10 * MiB, 1},
                             {allocate, 10 * MiB, 1},
                             {allocate, 10 * MiB, 1},
                             {allocate, 10 * MiB, 1},
                             {free, 0, 1},
                             {free, 2, 1},
                             {allocate, 20 * MiB, 1}};
  all.insert(all.end(), then.begin(), then.end());
  return all;
}

std::vector<Scenario> scenarios() {
  return {
      // memory_info, reserve home, create, map, set_access; in the end unmap, release.
      {"growing", {with(), {{allocate, 20 * MiB, 1}, {allocate, 1000, 1}, {allocate, 6 * MiB, 0}}}},
      // Reserve an arena, map and set_access of a window; the window is used again, then kept.
      {"stitching", {with(), stitched({{free, 2, 1}, {allocate, 20 * MiB, 1}, {free, 2, 1}})}},
      {"growing and stitching",
       {with([](Settings& s) { s.memory = 48 * MiB; }), stitched({{allocate, 7 * MiB, 1}})}},
      // Unmap of a window: beyond the number that is kept, and to get mappings.
      {"too many windows",
       {with([](Settings& s) { s.windows = 1; }),
        stitched({{free, 2, 1}, {allocate, 18 * MiB, 1}, {free, 2, 1}, {allocate, 16 * MiB, 1}})}},
      {"a window behind a window",
       {with(), stitched({{submit, 1, 0}, {free, 2, 2}, {allocate, 18 * MiB, 2}})}},
      // Events: create, record, query, then a wait for the only memory there is.
      {"another stream's memory",
       {with(),
        {{allocate, 30 * MiB, 1},
         {submit, 1, 0},
         {free, 0, 1},
         {allocate, 6 * MiB, 2},
         {complete, 1, 1},
         {allocate, 20 * MiB, 3},
         {submit, 3, 0},
         {free, 1, 3},
         {allocate, 24 * MiB, 2}}}},
      // record_context, and a wait for it.
      {"frees of the host",
       {with(),
        {{allocate, 40 * MiB, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0},
         {free, 0, 0},
         {submit, 2, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 1}}}},
      // wait_context, of the ladder and of a free.
      {"no events of a context",
       {with([](Settings& s) { s.context_events = false; }),
        {{allocate, 40 * MiB, 0}, {submit, 1, 0}, {free, 0, 0}, {allocate, 40 * MiB, 0}}}},
      {"synchronous frees",
       {with([](Settings& s) { s.synchronous = true; }),
        {{allocate, 40 * MiB, 0}, {submit, 1, 0}, {free, 0, 0}, {allocate, 40 * MiB, 0}}}},
      // Record for a stream that goes, and what is left of it.
      {"a stream that ends",
       {with(),
        {{allocate, 40 * MiB, 1},
         {submit, 1, 0},
         {free, 0, 1},
         {retire, 1, 0},
         {allocate, 40 * MiB, 2},
         {free, 0, 2},
         {forget, 0, 0},
         {allocate, 40 * MiB, 1}}}},
      // Unmap and release of free handles, behind the windows that show them.
      {"trimming",
       {with(),
        {{allocate, 30 * MiB, 1}, {free, 0, 1}, {trim, 10 * MiB, 0}, {allocate, 40 * MiB, 1}}}},
      {"trimming behind windows",
       {with(), stitched({{free, 2, 1},
                          {trim, 30 * MiB, 0},
                          {trim, 0, 0},
                          {allocate, 20 * MiB, 1},
                          {free, 0, 1},
                          {trim, 0, 0}})}},
  };
}

struct Tally {
  std::uint64_t runs = 0;
  std::uint64_t faulted[kFunctionCount] = {};
};

// All of one scenario's faults, with another function failing all along.
void fail_in_turn(const Scenario& scenario, const char* also, Tally& tally) {
  for (const bool to_the_end : {false, true}) {
    const auto plain = try_program(scenario.program, {"", 0, 0, "", to_the_end});
    ASSERT_FALSE(plain.failed) << scenario.name << ": " << plain.what;
    for (std::size_t f = 0; f < kFunctionCount; ++f)
      for (std::uint64_t n = 0; n < plain.calls[f]; ++n)
        for (const std::uint64_t times : {std::uint64_t{1}, ~std::uint64_t{0}}) {
          const auto outcome =
              try_program(scenario.program, {kFunctions[f], n, times, also, to_the_end});
          EXPECT_FALSE(outcome.failed)
              << scenario.name << ", call " << n << " of " << kFunctions[f]
              << (times == 1 ? "" : " and all after it") << (to_the_end ? " to the end" : "")
              << (*also ? ", and all of " : "") << also << ": operation " << outcome.step << ": "
              << outcome.what;
          // Another function's failures may keep the program from getting so far.
          if (!*also) {
            EXPECT_GE(outcome.faulted[f], 1U) << "the call did not come";
          }
          tally.faulted[f] += outcome.faulted[f];
          ++tally.runs;
        }
  }
}

TEST(FaultInjection, EveryCallFailsInTurnAndEveryFunctionDoes) {
  Tally tally;
  for (const auto& scenario : scenarios()) fail_in_turn(scenario, "", tally);
  for (std::size_t f = 0; f < kFunctionCount; ++f)
    EXPECT_GT(tally.faulted[f], 0U) << kFunctions[f] << " was never reached";
  RecordProperty("runs", std::to_string(tally.runs));
}

// What undoes a half-done change fails as well.
TEST(FaultInjection, GivingBackFailsToo) {
  Tally tally;
  for (const auto& scenario : scenarios())
    for (const char* also : {"cuMemUnmap", "cuMemRelease"}) fail_in_turn(scenario, also, tally);
  RecordProperty("runs", std::to_string(tally.runs));
}

}  // namespace
}  // namespace gmlake::testing
