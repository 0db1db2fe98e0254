// Random programs against the pool, checked after each step (pool/interpreter.h). A failing one is
// cut down to a short list and printed.
//
// GMLAKE_TEST_PROGRAM=file runs such a list; GMLAKE_TEST_SEED repeats a run, GMLAKE_TEST_STEPS
// lengthens it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "pool/interpreter.h"

namespace gmlake::testing {
namespace {

TEST(PoolModel, RandomProgramsKeepEveryInvariant) {
  if (const char* file = std::getenv("GMLAKE_TEST_PROGRAM")) {
    std::ifstream text(file);
    const auto program = parse(text);
    ASSERT_TRUE(program) << file << " is no program";
    const auto outcome = try_program(*program);
    EXPECT_FALSE(outcome.failed) << "operation " << outcome.step << ": " << outcome.what;
    return;
  }
  const char* given = std::getenv("GMLAKE_TEST_SEED");
  const char* steps = std::getenv("GMLAKE_TEST_STEPS");
  const std::uint64_t total = steps ? std::strtoull(steps, nullptr, 10) : 1'000'000;
  auto seed =
      given ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  constexpr std::uint64_t kStepsPerProgram = 4000;
  Outcome sum;
  for (std::uint64_t done = 0; done < total; done += kStepsPerProgram, ++seed) {
    const auto program = generate(seed, kStepsPerProgram);
    const auto outcome = try_program(program);
    if (outcome.failed)
      FAIL() << "GMLAKE_TEST_SEED=" << seed << ", operation " << outcome.step << ": "
             << outcome.what << "\nA short program that fails too:\n"
             << to_text(shrink(program));
    sum.stitches += outcome.stitches;
    sum.windows += outcome.windows;
    sum.crossings += outcome.crossings;
    sum.proofs += outcome.proofs;
    sum.inserted_waits += outcome.inserted_waits;
    sum.faults += outcome.faults;
    sum.trims += outcome.trims;
    sum.ends += outcome.ends;
    sum.cuts += outcome.cuts;
    sum.loans += outcome.loans;
  }
  // The interesting paths were taken.
  EXPECT_GT(sum.stitches, 100U);
  EXPECT_GT(sum.windows, 100U);
  EXPECT_GT(sum.crossings, 100U);
  EXPECT_GT(sum.proofs, 100U);
  EXPECT_GT(sum.inserted_waits, 100U);
  EXPECT_GT(sum.faults, 100U);
  EXPECT_GT(sum.trims, 100U);
  EXPECT_GT(sum.ends, 0U);  // some ten in a run, once in a program at most
  EXPECT_GT(sum.loans, 1000U);
  EXPECT_GT(sum.cuts, total / 4000);  // twice as many in a run of a million steps
}

TEST(PoolModel, AProgramIsReadBackAsItWasPrinted) {
  const auto text = to_text(generate(5, 500));
  std::istringstream in(text);
  const auto program = parse(in);
  ASSERT_TRUE(program);
  EXPECT_EQ(to_text(*program), text);
  std::istringstream wrong("settings 1 2 3 1 1 1 0 4 5 1 6 1 0\nallocate much 1\n");
  EXPECT_FALSE(parse(wrong));
}

// The harness itself: a model with a wrong rule must be found out, by a short list.
TEST(PoolModel, APlantedFaultIsFoundAndCutDown) {
  auto program = generate(6, 4000);
  program.settings.planted = true;
  ASSERT_TRUE(try_program(program).failed);
  const auto shorter = shrink(program);
  EXPECT_TRUE(try_program(shorter).failed);
  EXPECT_LE(shorter.operations.size(), 6U) << to_text(shorter);
}

}  // namespace
}  // namespace gmlake::testing
