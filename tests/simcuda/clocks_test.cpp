// Clocks, timelines, and the shadow against a model that keeps everything for each byte.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "driver/clocks.h"
#include "driver/shadow.h"

namespace gmlake::simcuda {
namespace {

TEST(Clocks, CoverWhatTheyWereRaisedTo) {
  Clock clock;
  EXPECT_FALSE(clock.covers(0, 1));
  EXPECT_FALSE(clock.covers(7, 1));
  clock.raise(7, 3);
  EXPECT_TRUE(clock.covers(7, 3));
  EXPECT_TRUE(clock.covers(7, 1));
  EXPECT_FALSE(clock.covers(7, 4));
  EXPECT_FALSE(clock.covers(6, 1));
  clock.raise(7, 2);  // never back
  EXPECT_TRUE(clock.covers(7, 3));
}

TEST(Clocks, JoinTakesTheLaterOfEach) {
  Clock one;
  Clock other;
  one.raise(0, 5);
  one.raise(1, 1);
  other.raise(1, 4);
  other.raise(3, 2);
  one.join(other);
  EXPECT_EQ(one.ticks, (std::vector<std::uint64_t>{5, 4, 0, 2}));
  other.join(Clock{});
  EXPECT_EQ(other.ticks, (std::vector<std::uint64_t>{0, 4, 0, 2}));
}

TEST(Clocks, ATimelineIsUsedAgainOnceTheHostIsBehindIt) {
  Timelines timelines;
  Clock host;
  const Timeline first = timelines.open(host);
  const Timeline second = timelines.open(host);
  EXPECT_NE(first, kHostTimeline);
  EXPECT_NE(first, second);
  EXPECT_EQ(timelines.next(first), 1U);
  EXPECT_EQ(timelines.next(first), 2U);
  timelines.close(first);
  host.raise(first, 1);
  const Timeline third = timelines.open(host);
  EXPECT_NE(third, first);
  EXPECT_NE(third, second);
  host.raise(first, 2);
  EXPECT_EQ(timelines.open(host), first);
  EXPECT_EQ(timelines.next(first), 3U);  // going on: the old ticks stay what they were
}

// For each byte its last write and all reads since.
class Model {
 public:
  struct Byte {
    TouchRef write;
    std::vector<TouchRef> reads;
  };
  // Each earlier touch that conflicts, with the bytes where it does.
  using Conflicts = std::map<const Touch*, std::set<Place>>;

  Conflicts access(Place begin, Place end, const TouchRef& touch, const Clock& now) {
    Conflicts conflicts;
    const auto check = [&](const TouchRef& earlier, Place at) {
      if (earlier != nullptr && !now.covers(earlier->timeline, earlier->tick))
        conflicts[earlier.get()].insert(at);
    };
    for (Place at = begin; at < end; ++at) {
      Byte& byte = bytes_[at];
      check(byte.write, at);
      if (!touch->write) {
        byte.reads.push_back(touch);
        continue;
      }
      for (const TouchRef& read : byte.reads) check(read, at);
      byte = {touch, {}};
    }
    return conflicts;
  }
  void renew(Place begin, Place end, const TouchRef& first) {
    for (Place at = begin; at < end; ++at) bytes_[at] = {first, {}};
  }

 private:
  std::map<Place, Byte> bytes_;
};

std::set<Place> bytes_of(const Model::Conflicts& conflicts) {
  std::set<Place> all;
  for (const auto& [touch, bytes] : conflicts) all.insert(bytes.begin(), bytes.end());
  return all;
}

// A few streams that wait for each other now and then and touch the same few bytes.
void compare(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  constexpr Place kBytes = 64;
  constexpr Timeline kStreams = 4;
  std::mt19937_64 random(seed);
  const auto draw = [&](std::uint64_t below) { return random() % below; };
  Shadow shadow;
  Model model;
  Clock clocks[kStreams + 1];
  std::uint64_t ticks[kStreams + 1] = {};
  std::set<TouchRef> touches;  // kept, so that their addresses tell them apart
  for (int step = 0; step < 300; ++step) {
    const auto stream = static_cast<Timeline>(1 + draw(kStreams));
    Clock& now = clocks[stream];
    if (draw(3) == 0) now.join(clocks[1 + draw(kStreams)]);
    now.raise(stream, ++ticks[stream]);
    const Place begin = draw(kBytes);
    const Place end = begin + 1 + draw(kBytes - begin);
    auto touch = std::make_shared<Touch>();
    touch->timeline = stream;
    touch->tick = ticks[stream];
    touch->write = draw(2) == 0;
    touches.insert(touch);
    if (draw(12) == 0) {
      const TouchRef first = draw(2) == 0 ? touch : nullptr;
      shadow.renew(begin, end, first);
      model.renew(begin, end, first);
      continue;
    }
    Model::Conflicts found;
    shadow.access(begin, end, touch, now, [&](const Touch& earlier, Place from, Place to) {
      for (Place at = std::max(from, begin); at < std::min(to, end); ++at)
        ASSERT_TRUE(found[&earlier].insert(at).second) << "told twice";
    });
    const auto expected = model.access(begin, end, touch, now);
    // The shadow forgets a read that a later one is ordered behind: whoever conflicts with the
    // first conflicts with the second.
    ASSERT_EQ(bytes_of(found), bytes_of(expected)) << "step " << step;
    for (const auto& [earlier, bytes] : found) {
      const auto known = expected.find(earlier);
      ASSERT_NE(known, expected.end()) << "step " << step;
      ASSERT_TRUE(
          std::includes(known->second.begin(), known->second.end(), bytes.begin(), bytes.end()))
          << "step " << step;
    }
  }
}

TEST(Shadow, FindsWhatAModelOfEachByteFinds) {
  for (std::uint64_t seed = 0; seed < 200 && !testing::Test::HasFailure(); ++seed) compare(seed);
  compare(std::random_device{}());
}

}  // namespace
}  // namespace gmlake::simcuda
