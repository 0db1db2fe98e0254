// When a fence's event is asked, and what its answer says.
#include "stream/fences.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <thread>

#include "pool/fake_device.h"

namespace gmlake::stream::fences_test {
namespace {

using namespace std::chrono_literals;

void* const kContext = reinterpret_cast<void*>(0x100);
constexpr Timeline kProducer = 1, kConsumer = 2, kOther = 3;

using Stake = Fences::Stake;

struct Scene {
  gmlake::testing::FakeDevice device{GiB};
  Fences fences;
  std::vector<std::uint64_t> passed = std::vector<std::uint64_t>(8, 1);
  Fences::Time now{1h};

  // Where a stitch is at stake, a fence is asked again when it was waited for twice as long.
  explicit Scene(double ask_again = 0.125) : fences(device, ask_again) {}
  static void* stream_of(Timeline timeline) { return reinterpret_cast<void*>(0x1000 + timeline); }
  // Work, and a fence behind it.
  void follow(Timeline timeline, std::uint64_t value, Snapshot before = {}) {
    ++device.submitted[stream_of(timeline)];
    before.push_back({timeline, value});
    const Batch batch{timeline, value, {kContext, stream_of(timeline), false}};
    EXPECT_TRUE(fences.follow(batch, std::move(before), now, true, fences.moment()));
  }
  // What happens on the device before anybody asks.
  void finish(Timeline timeline) {
    device.completed[stream_of(timeline)] = device.submitted[stream_of(timeline)];
  }
  std::uint64_t ask(Stake stake = Stake::place) {
    Snapshot known;
    for (Timeline t = 0; t < passed.size(); ++t) known.push_back({t, passed[t]});
    const auto answers = fences.ask(known, now, stake);
    for (const auto& point : answers.passed) passed[point.timeline] = point.value;
    return answers.questions;
  }
};

TEST(Fences, AreAskedInOrderAsFarAsTheyHaveFired) {
  Scene s;
  s.follow(kProducer, 2);
  s.follow(kProducer, 3);
  s.finish(kProducer);
  s.follow(kProducer, 4);
  EXPECT_EQ(s.ask(), 3U);
  EXPECT_EQ(s.passed[kProducer], 3U);
}

// How often one that does not fire for a second is asked, and how late its end is found then.
struct Stall {
  std::uint64_t questions = 0;
  double late = 0;  // as a share of the time
};
Stall stall(Stake stake) {
  Scene s;
  const auto start = s.now;
  s.follow(kProducer, 2);
  Stall found;
  constexpr auto kStep = 10us;
  for (; s.now < start + 1s; s.now += kStep) found.questions += s.ask(stake);
  s.finish(kProducer);
  const std::chrono::duration<double> waited = s.now - start;
  for (; s.passed[kProducer] != 2; s.now += kStep) s.ask(stake);
  found.late = (s.now - start) / waited - 1;
  return found;
}

TEST(Fences, OneThatHasNotFiredIsAskedAgainWhenItHasBeenWaitedForAShareLonger) {
  const auto place = stall(Stake::place);
  EXPECT_LE(place.questions, 20U);
  EXPECT_LE(place.late, 1);
  const auto growth = stall(Stake::growth);
  EXPECT_LE(growth.questions, 120U);
  EXPECT_LE(growth.late, 0.13);
}

TEST(Fences, ATimelineThatMakesProgressIsAskedAtItsOwnPace) {
  Scene s;
  s.follow(kProducer, 2);
  s.ask();
  s.now += 1s;
  s.follow(kProducer, 3);
  s.device.completed[Scene::stream_of(kProducer)] = 1;
  EXPECT_EQ(s.ask(), 2U);
  EXPECT_EQ(s.passed[kProducer], 2U);
  s.now += 1us;
  EXPECT_EQ(s.ask(), 1U);
}

TEST(Fences, TimeDoesNotMatterWhereMemoryHasRunOut) {
  Scene s;
  s.follow(kProducer, 2);
  s.now += 1s;
  EXPECT_EQ(s.ask(), 1U);
  EXPECT_FALSE(s.fences.due(kProducer, s.now, Stake::growth));
  EXPECT_EQ(s.ask(Stake::growth), 0U);
  EXPECT_EQ(s.ask(Stake::all), 1U);
}

TEST(Fences, NorWithoutAShare) {
  Scene s(0);
  s.follow(kProducer, 2);
  s.now += 1s;
  EXPECT_EQ(s.ask(), 1U);
  EXPECT_EQ(s.ask(), 0U) << "a request asks once";
  s.now += 1us;
  EXPECT_EQ(s.ask(), 1U);
}

TEST(Fences, OneIsNotAskedWhileWhatComesBeforeItIsAwaited) {
  Scene s;
  s.follow(kProducer, 2);
  s.follow(kConsumer, 2, {{kProducer, 2}});
  s.follow(kOther, 2, {{kProducer, 1}});
  EXPECT_EQ(s.ask(), 2U);
  s.now += 1s;
  EXPECT_EQ(s.ask(), 2U);
  s.now += 500ms;
  EXPECT_FALSE(s.fences.due(kConsumer, s.now, Stake::place));
  EXPECT_EQ(s.ask(), 0U);
  s.now += 500ms;
  s.finish(kProducer);
  EXPECT_EQ(s.ask(), 3U);
}

// As a primary context that is reset: nobody leaves it first. Its handle may come back.
TEST(Fences, AContextThatIsForgottenWhileAnEventIsInUseCanBeLeftLater) {
  auto* const s = new Scene;  // stays if the wait never ends
  s->device.recording = [s] { s->fences.forget_context(kContext); };
  EXPECT_TRUE(s->fences.follow({kProducer, 2, {kContext, nullptr, true}}, {}, s->now, true,
                               s->fences.moment()));
  std::promise<void> left;
  auto over = left.get_future();
  std::thread thread([&] {
    s->fences.leave(kContext);
    left.set_value();
  });
  const bool in_time = over.wait_for(10s) == std::future_status::ready;
  EXPECT_TRUE(in_time);
  if (!in_time) std::_Exit(1);  // the thread would be waited for
  thread.join();
  delete s;
}

// Its frees were looked up before it ended: the handle may be nobody's by now, or another's.
TEST(Fences, WhatHasEndedSinceItWasLookedUpIsNotFollowed) {
  Scene s;
  const auto stream = Scene::stream_of(kProducer);
  const auto follow = [&](Endings::Moment looked_up) {
    return s.fences.follow({kProducer, 2, {kContext, stream, false}}, {}, s.now, true, looked_up)
        .has_value();
  };
  for (const bool whole_context : {false, true}) {
    const auto before = s.fences.moment();
    s.fences.leave(whole_context ? kContext : stream);
    EXPECT_FALSE(follow(before));
    EXPECT_FALSE(follow(s.fences.moment()));
    if (whole_context) {
      s.device.forget_context(kContext);
      s.fences.forget_context(kContext);
    } else {
      s.fences.forget_stream(stream);
    }
    EXPECT_FALSE(follow(before));
    EXPECT_TRUE(follow(s.fences.moment())) << "another one with that handle";
  }
  const auto before = s.fences.moment();
  s.fences.leave(stream);
  s.fences.stay(stream);
  EXPECT_TRUE(follow(before)) << "it has not ended";
  for (int i = 0; i < 100; ++i) s.fences.forget_stream(Scene::stream_of(kOther));
  EXPECT_FALSE(follow(before)) << "which ones have ended since is not known any more";
}

}  // namespace
}  // namespace gmlake::stream::fences_test
