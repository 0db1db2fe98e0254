// What an owner keeps of what it has shown to others: tickets, descriptors, and when they go.
#include "ipc/exports.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "memory_files.h"

namespace gmlake::ipc {
namespace {

constexpr Bytes kGranule = 2 * MiB;

class Exporting : public testing::Test {
 protected:
  // As a pool: the address's block, marked when it is shown.
  Result<std::uint64_t> add(driver::Address at, std::vector<driver::Handle> handles) {
    return exports_.add(at, [&]() -> std::optional<Shown> {
      Shown shown{!live_.insert(at).second, 1000, 512, {}};
      for (const auto handle : handles) shown.handles.push_back({kGranule, handle});
      return shown;
    });
  }
  Message parts(std::uint64_t block, std::uint64_t first = 0) {
    Message asked, answer;
    asked.block = block;
    asked.first = first;
    exports_.answer_parts(asked, answer);
    return answer;
  }

  MemoryFiles memory_;
  std::set<driver::Address> live_;
  Exports exports_{memory_, [this](driver::Address at) { return live_.contains(at); }};
};

TEST_F(Exporting, ABlockKeepsItsNumber) {
  const auto handle = memory_.create();
  const auto first = add(0x1000, {handle});
  ASSERT_TRUE(first);
  EXPECT_EQ(add(0x1000, {handle}).value_or(0), *first);
  live_.clear();  // freed, and there is another there
  const auto second = add(0x1000, {handle});
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);
  EXPECT_NE(parts(*first).refused, 0U);
  EXPECT_EQ(parts(*second).refused, 0U);
}

TEST_F(Exporting, AHandleIsExportedOnce) {
  const auto handle = memory_.create();
  ASSERT_TRUE(add(0x1000, {handle}));
  ASSERT_TRUE(add(0x2000, {handle}));
  EXPECT_EQ(memory_.exported, 1);
  EXPECT_EQ(exports_.size().handles, 1U);
}

TEST_F(Exporting, SaysWhereABlockIs) {
  const auto number = add(0x1000, {memory_.create(), memory_.create()});
  const auto answer = parts(*number);
  EXPECT_EQ(answer.total, 2U);
  EXPECT_EQ(answer.count, 2U);
  EXPECT_EQ(answer.offset, 512U);
  EXPECT_EQ(answer.bytes, 1000U);
  EXPECT_EQ(answer.parts[0].bytes, kGranule);
}

TEST_F(Exporting, ALongListComesInParts) {
  std::vector<driver::Handle> handles;
  for (int i = 0; i < 600; ++i) handles.push_back(memory_.create());
  const auto number = add(0x1000, handles);
  EXPECT_EQ(parts(*number).count, kMostParts);
  EXPECT_EQ(parts(*number, 500).count, 100U);
  EXPECT_LE(exports_.size().descriptors, Exports::kMostKept);
  Message asked, answer;  // one whose descriptor is not kept
  asked.add(parts(*number, 500).parts[99]);
  EXPECT_EQ(exports_.answer_give(asked, answer).size(), 1U);
}

TEST_F(Exporting, WhatIsFreedIsNotGiven) {
  const auto number = add(0x1000, {memory_.create()});
  live_.clear();
  EXPECT_NE(parts(*number).refused, 0U);
  EXPECT_NE(parts(*number + 1).refused, 0U);
}

TEST_F(Exporting, AHandleThatGoesIsForgotten) {
  const auto handle = memory_.create();
  const auto number = add(0x1000, {handle});
  const auto key = parts(*number).parts[0].key;
  EXPECT_FALSE(exports_.forget(memory_.create()));
  EXPECT_TRUE(exports_.forget(handle));
  EXPECT_EQ(exports_.take_gone(), std::vector<std::uint64_t>{key});
  EXPECT_TRUE(exports_.take_gone().empty());
  EXPECT_EQ(exports_.size().descriptors, 0U);
  Message asked, answer;
  asked.add({key, kGranule});
  EXPECT_TRUE(exports_.answer_give(asked, answer).empty());
  EXPECT_NE(answer.refused, 0U);
}

// The driver may give the same value again.
TEST_F(Exporting, AnotherHandleOfThatValueHasAnotherKey) {
  const auto handle = memory_.create();
  const auto first = parts(*add(0x1000, {handle})).parts[0].key;
  EXPECT_TRUE(exports_.forget(handle));
  live_.clear();
  EXPECT_NE(parts(*add(0x1000, {handle})).parts[0].key, first);
}

TEST_F(Exporting, WhatNobodyOpenedIsKnown) {
  const auto opened = add(0x1000, {memory_.create()});
  (void)parts(*opened);
  ASSERT_TRUE(add(0x2000, {memory_.create()}));
  live_.clear();
  ASSERT_TRUE(add(0x1000, {memory_.create()}));
  EXPECT_TRUE(exports_.take_unopened().empty());
  ASSERT_TRUE(add(0x2000, {memory_.create()}));
  EXPECT_EQ(exports_.take_unopened(), std::vector<Bytes>{1000});
}

TEST_F(Exporting, DeadBlocksDoNotPileUp) {
  const auto handle = memory_.create();
  for (driver::Address at = 1; at < 1000; ++at) {
    ASSERT_TRUE(add(at * 0x1000, {handle}));
    live_.clear();
  }
  EXPECT_LE(exports_.size().blocks, 128U);
}

TEST_F(Exporting, WhatIsNoBlockHasNoNumber) {
  EXPECT_FALSE(exports_.add(0x1000, [] { return std::optional<Shown>(); }));
  EXPECT_FALSE(add(0x1000, {77}));  // the driver refuses
  EXPECT_EQ(exports_.size().blocks, 0U);
}

}  // namespace
}  // namespace gmlake::ipc
