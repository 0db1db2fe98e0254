// Every driver call the pool makes fails in turn: short programs that together reach every place a
// call is made at, each run once for every call it makes, with that call failing alone, with it and
// all later ones of its function failing, and with that lasting to the pool's end. That no place is
// left out is judged by the sources themselves (call_places.h).
//
// What must hold is checked by the interpreter after every operation: no byte in two hands, no work
// overtaken, the driver's own error for the program, counters that agree with the device. At the
// end nothing is left at the device but what itself could not be given back, and once the faults
// are over the pool gives all of its memory back and serves again.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "pool/call_places.h"
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
      // Several events, which are idle in the end or still pending.
      {"several streams' memory",
       {with(),
        {{allocate, 10 * MiB, 1},
         {allocate, 10 * MiB, 2},
         {submit, 1, 0},
         {submit, 2, 0},
         {free, 0, 1},
         {free, 0, 2},
         {allocate, 10 * MiB, 3},
         {synchronise, 0, 0},
         {allocate, 24 * MiB, 3}}}},
      {"several streams' work",
       {with(),
        {{allocate, 10 * MiB, 1},
         {allocate, 10 * MiB, 2},
         {submit, 1, 0},
         {submit, 2, 0},
         {free, 0, 1},
         {free, 0, 2},
         {allocate, 10 * MiB, 3}}}},
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
      // wait_context, of the ladder.
      {"no events of a context",
       {with([](Settings& s) { s.context_events = false; }),
        {{allocate, 40 * MiB, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0}}}},
      // wait_context, of a free.
      {"synchronous frees without events of a context",
       {with([](Settings& s) { s.synchronous = true, s.context_events = false; }),
        {{allocate, 40 * MiB, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0}}}},
      {"synchronous frees",
       {with([](Settings& s) { s.synchronous = true; }),
        {{allocate, 40 * MiB, 0}, {submit, 1, 0}, {free, 0, 0}, {allocate, 40 * MiB, 0}}}},
      // A wait before a second stream.
      {"a second stream",
       {with([](Settings& s) { s.single = true; }),
        {{allocate, 40 * MiB, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0},
         {second, 0, 0},
         {submit, 1, 0},
         {free, 0, 0},
         {allocate, 40 * MiB, 0}}}},
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
      // Access of other devices: to a block, to all there is, to what comes later, and its end.
      {"other devices",
       {with(),
        {{allocate, 10 * MiB, 1},
         {open, 0, 1},
         {open, 0, 2},
         {open_all, 1, 1},
         {allocate, 10 * MiB, 1},
         {open_all, 2, 1},
         {allocate, 10 * MiB, 1},
         {open_all, 1, 0},
         {allocate, 6 * MiB, 1},
         {open_all, 1, 1}}}},
      {"other devices see a window",
       {with(), stitched({{open_all, 1, 1}, {free, 2, 1}, {allocate, 18 * MiB, 1}})}},
      // Handles in place of one: created beside it, or where it was.
      {"cutting with room",
       {with(),
        {{open_all, 1, 1},
         {allocate, 24 * MiB, 0},
         {free, 0, 0},
         {synchronise, 0, 0},
         {allocate, 3 * MiB, 0},
         {allocate, 5 * MiB, 0},
         {allocate, 10 * MiB, 0}}}},
      {"cutting without room",
       {with([](Settings& s) { s.memory = 24 * MiB; }),
        {{allocate, 24 * MiB, 0},
         {free, 0, 0},
         {synchronise, 0, 0},
         {allocate, 3 * MiB, 0},
         {allocate, 1000, 0},
         {allocate, 10 * MiB, 0}}}},
      // Two stretches of the home range are left.
      {"trimming in the middle",
       {with(),
        {{allocate, 10 * MiB, 1},
         {allocate, 2 * MiB, 1},
         {allocate, 10 * MiB, 1},
         {free, 1, 1},
         {synchronise, 0, 0},
         {trim, 0, 0}}}},
      {"trimming behind windows",
       {with(), stitched({{free, 2, 1},
                          {trim, 30 * MiB, 0},
                          {trim, 0, 0},
                          {allocate, 20 * MiB, 1},
                          {free, 0, 1},
                          {trim, 0, 0}})}},
  };
}

// How a place that makes a call was made to fail.
struct Manners {
  bool first = false;   // when it was reached first
  bool later = false;   // and once that had succeeded
  bool always = false;  // every time
  bool again = false;   // a run without failures comes by there more than once
};

class Tally {
 public:
  // Every function's calls fail in turn in this scenario; `also` is another one that always fails.
  void fail_in_turn(const Scenario& scenario, const char* also) {
    for (const bool to_the_end : {false, true}) {
      const auto plain = try_program(scenario.program, {"", 0, 0, "", to_the_end});
      ASSERT_FALSE(plain.failed) << scenario.name << ": " << plain.what;
      for (const auto& place : plain.places) manners_[place.from].again |= place.calls > 1;
      std::vector<Injection> each;
      for (std::size_t f = 0; f < kFunctionCount; ++f)
        for (std::uint64_t n = 0; n < plain.calls[f]; ++n)
          for (const std::uint64_t times : {std::uint64_t{1}, ~std::uint64_t{0}})
            each.push_back({kFunctions[f], n, times, also, to_the_end});
      const auto outcomes = try_programs(scenario.program, each);
      for (std::size_t i = 0; i < each.size(); ++i) {
        const auto& injected = each[i];
        const auto& outcome = outcomes[i];
        SCOPED_TRACE(::testing::Message()
                     << scenario.name << ", call " << injected.after << " of " << injected.function
                     << (injected.times == 1 ? "" : " and all after it")
                     << (to_the_end ? " to the end" : "") << (*also ? ", and all of " : "")
                     << also);
        EXPECT_FALSE(outcome.failed) << "operation " << outcome.step << ": " << outcome.what;
        // Another function's failures may keep the program from getting so far.
        if (!*also) {
          EXPECT_GE(outcome.faults, 1U) << "the call did not come";
        }
        add(outcome);
      }
    }
  }

  std::map<std::string, Manners> by_place() const {
    std::map<std::string, Manners> all;
    for (const auto& [from, manners] : manners_) {
      if (!from) continue;
      auto& sum = all[place_of(from)];
      sum.first |= manners.first;
      sum.later |= manners.later;
      sum.always |= manners.always;
      sum.again |= manners.again;
    }
    return all;
  }

 private:
  void add(const Outcome& outcome) {
    for (const auto& place : outcome.places) {
      if (place.failures == 0) continue;
      auto& manners = manners_[place.from];
      manners.first |= place.first_failed;
      manners.later |= !place.first_failed;
      manners.always |= place.failures == place.calls;
    }
  }
  std::map<const void*, Manners> manners_;
};

// With what leaves a change half-done or undoes one failing as well, so that the places that undo
// are reached.
TEST(FaultInjection, EveryPlaceThatMakesACallFailsInEachManner) {
  Tally tally;
  for (const auto& scenario : scenarios())
    for (const char* also : {"", "cuMemMap", "cuMemSetAccess", "cuMemUnmap", "cuMemRelease"})
      tally.fail_in_turn(scenario, also);
  auto seen = tally.by_place();
  for (const auto& place : call_places()) {
    const auto& manners = seen[place];
    EXPECT_TRUE(manners.first) << place << " never failed when it was reached first";
    EXPECT_TRUE(manners.later || !manners.again) << place << " never failed after a success";
    EXPECT_TRUE(manners.always) << place << " never failed each time";
  }
}

}  // namespace
}  // namespace gmlake::testing
