// What recorded events and waits prove, and when they prove nothing.
#include "stream/clocks.h"

#include <gtest/gtest.h>

namespace gmlake::stream {
namespace {

void* const kEvent = reinterpret_cast<void*>(0x10);
void* const kOther = reinterpret_cast<void*>(0x20);

struct Scene {
  Clocks clocks;
  std::vector<std::uint64_t> passed = std::vector<std::uint64_t>(8, 1);
  Recording last = 0;

  void record(void* event, Timeline stream, std::uint64_t own) {
    clocks.append(stream, own, passed, clocks.begin_recording(event, ++last));
    clocks.end_recording(event, last, true);
  }
  void wait(Timeline stream, void* event) {
    if (const auto* before = clocks.before(event, clocks.recording_of(event)))
      clocks.merge(stream, *before, passed);
  }
  std::uint64_t knows(Timeline stream, Timeline of) const {
    const auto* values = clocks.of(stream);
    return values && of < values->size() ? (*values)[of] : 0;
  }
};

TEST(Clocks, AWaitBringsWhatTheEventCameAfter) {
  Scene s;
  s.record(kEvent, 1, 5);
  EXPECT_EQ(s.clocks.of(2), nullptr);
  s.wait(2, kEvent);
  EXPECT_EQ(s.knows(2, 1), 5U);
  s.record(kOther, 1, 3);  // older, by another event
  s.wait(2, kOther);
  EXPECT_EQ(s.knows(2, 1), 5U) << "knowledge does not shrink";
  EXPECT_EQ(s.knows(3, 1), 0U) << "who did not wait knows nothing";
}

TEST(Clocks, OrderIsTransitive) {
  Scene s;
  s.record(kEvent, 1, 5);
  s.wait(2, kEvent);
  s.record(kOther, 2, 7);
  s.wait(3, kOther);
  EXPECT_EQ(s.knows(3, 2), 7U);
  EXPECT_EQ(s.knows(3, 1), 5U);
}

TEST(Clocks, AnEventKnowsNothingOfLaterWaits) {
  Scene s;
  s.record(kEvent, 1, 5);
  s.record(kOther, 2, 7);
  s.wait(2, kEvent);
  s.wait(3, kOther);
  EXPECT_EQ(s.knows(3, 1), 0U);
}

TEST(Clocks, OnlyTheLatestRecordingCounts) {
  Scene s;
  s.record(kEvent, 1, 5);
  const auto before = s.clocks.recording_of(kEvent);
  s.record(kEvent, 2, 7);
  EXPECT_EQ(s.clocks.before(kEvent, before), nullptr) << "recorded anew while somebody waited";
  s.wait(3, kEvent);
  EXPECT_EQ(s.knows(3, 1), 0U);
  EXPECT_EQ(s.knows(3, 2), 7U);
}

TEST(Clocks, ARecordingUnderWayProvesNothing) {
  Scene s;
  s.record(kEvent, 1, 5);
  s.clocks.append(1, 6, s.passed, s.clocks.begin_recording(kEvent, ++s.last));
  EXPECT_EQ(s.clocks.recording_of(kEvent), 0U);
  s.clocks.end_recording(kEvent, s.last, false);
  EXPECT_EQ(s.clocks.recording_of(kEvent), 0U) << "it failed";
}

// Which of them the driver took last is not known, whatever the order of their ends.
TEST(Clocks, OverlappingRecordingsProveNothing) {
  for (const bool first_ends_first : {true, false}) {
    Scene s;
    s.clocks.append(1, 5, s.passed, s.clocks.begin_recording(kEvent, 1));
    s.clocks.append(2, 7, s.passed, s.clocks.begin_recording(kEvent, 2));
    s.clocks.end_recording(kEvent, first_ends_first ? 1 : 2, true);
    EXPECT_EQ(s.clocks.recording_of(kEvent), 0U);
    s.clocks.end_recording(kEvent, first_ends_first ? 2 : 1, true);
    EXPECT_EQ(s.clocks.recording_of(kEvent), 0U);
    s.last = 2;
    s.record(kEvent, 1, 9);
    EXPECT_EQ(s.clocks.recording_of(kEvent), 3U) << "the next one counts again";
  }
}

TEST(Clocks, ForgottenEventsProveNothing) {
  Scene s;
  s.record(kEvent, 1, 5);
  s.record(kOther, 1, 6);
  s.clocks.forget_event(kEvent);
  EXPECT_EQ(s.clocks.recording_of(kEvent), 0U);
  s.clocks.begin_recording(kEvent, ++s.last);
  s.clocks.forget_events();
  s.clocks.end_recording(kEvent, s.last, true);
  EXPECT_EQ(s.clocks.recording_of(kEvent), 0U) << "forgotten while it was recorded";
  EXPECT_EQ(s.clocks.recording_of(kOther), 0U);
}

TEST(Clocks, WhatHasPassedForEverybodyIsLeftOut) {
  Scene s;
  s.record(kEvent, 1, 5);
  s.wait(2, kEvent);
  s.passed[1] = 5;
  s.record(kOther, 2, 1);
  EXPECT_TRUE(s.clocks.before(kOther, s.clocks.recording_of(kOther))->empty());
  s.record(kEvent, 1, 9);
  s.wait(2, kEvent);
  EXPECT_EQ(s.knows(2, 1), 9U) << "known anew";
  s.record(kOther, 2, 1);
  EXPECT_EQ(s.clocks.before(kOther, s.clocks.recording_of(kOther))->size(), 1U);
  s.clocks.drop(2);
  EXPECT_EQ(s.clocks.of(2), nullptr);
}

}  // namespace
}  // namespace gmlake::stream
