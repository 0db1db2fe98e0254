// What is guessed from a sequence of requests that repeats, and what never is.
#include "memory/recall.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace gmlake::memory {
namespace {

// Requests and frees of one step as a caller would make them. A place is told from all others of
// its repetition by its start; it is what the request of that position gets in every repetition.
class Sequence {
 public:
  // Asks for `size`; `position`: which request of the step this is. Whether the guess was right.
  bool request(Bytes size, Bytes position) {
    const Place* guess = recall_.guess(size, live_);
    const bool right = guess && guess->start == position;
    if (guess) {
      ++guesses_;
      // Places of another size are at other positions: those of this size are known.
      EXPECT_TRUE(known(size, guess->start)) << "a place that no request of this size had";
    }
    recall_.record(size, live_, {position, nullptr, 0}, right);
    placed_.emplace(size, position);
    live_ += size;
    return right;
  }
  void release(Bytes size) { live_ -= size; }
  int guesses() const { return guesses_; }

 private:
  bool known(Bytes size, Bytes position) const { return placed_.count({size, position}) == 1; }
  Recall recall_;
  Bytes live_ = 0;
  int guesses_ = 0;
  std::set<std::pair<Bytes, Bytes>> placed_;
};

// Asks for all of these, then frees them all; how many guesses were right.
int step(Sequence& sequence, const std::vector<Bytes>& sizes) {
  int right = 0;
  for (Bytes i = 0; i < sizes.size(); ++i) right += sequence.request(sizes[i], i) ? 1 : 0;
  for (const Bytes size : sizes) sequence.release(size);
  return right;
}

std::vector<Bytes> different_sizes(std::size_t n) {
  std::vector<Bytes> sizes;
  for (Bytes i = 0; i < n; ++i) sizes.push_back((2 + (i * 37) % 101) * MiB + i * 512);
  return sizes;
}

TEST(Recall, GuessesNothingTheFirstTime) {
  Sequence sequence;
  EXPECT_EQ(step(sequence, different_sizes(200)), 0);
  EXPECT_EQ(sequence.guesses(), 0);
}

TEST(Recall, ARepeatedSequenceIsGuessedFromItsSecondTimeOn) {
  Sequence sequence;
  const auto sizes = different_sizes(500);
  step(sequence, sizes);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(step(sequence, sizes), 500) << "repetition " << i;
}

TEST(Recall, EqualLayersAreToldApartByWhatIsLive) {
  Sequence sequence;
  std::vector<Bytes> sizes;
  for (int layer = 0; layer < 40; ++layer)
    for (const Bytes size : {4 * MiB, 4 * MiB, 16 * MiB, 2 * MiB}) sizes.push_back(size);
  step(sequence, sizes);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(step(sequence, sizes), 160) << "repetition " << i;
}

TEST(Recall, AFewRequestsTooManyAreSteppedOver) {
  Sequence sequence;
  const auto sizes = different_sizes(500);
  for (int i = 0; i < 3; ++i) step(sequence, sizes);
  auto longer = sizes;
  longer.insert(longer.begin() + 250, 3, 777 * MiB);
  int right = 0;
  for (Bytes i = 0; i < longer.size(); ++i) {
    const bool extra = longer[i] == 777 * MiB;
    right += sequence.request(longer[i], extra ? 10000 + i : i < 250 ? i : i - 3) ? 1 : 0;
  }
  for (const Bytes size : longer) sequence.release(size);
  EXPECT_GE(right, 490);
  EXPECT_GE(step(sequence, sizes), 490) << "and are not missed when they do not come again";
  EXPECT_EQ(step(sequence, sizes), 500);
}

TEST(Recall, AFewRequestsTooFewAreSteppedOver) {
  Sequence sequence;
  const auto sizes = different_sizes(500);
  for (int i = 0; i < 3; ++i) step(sequence, sizes);
  int right = 0;
  for (Bytes i = 0; i < sizes.size(); ++i)
    if (i < 250 || i >= 255) right += sequence.request(sizes[i], i) ? 1 : 0;
  for (Bytes i = 0; i < sizes.size(); ++i)
    if (i < 250 || i >= 255) sequence.release(sizes[i]);
  EXPECT_GE(right, 485);
  EXPECT_GE(step(sequence, sizes), 485);
  EXPECT_EQ(step(sequence, sizes), 500);
}

// Training and evaluation in turn: each is found again when it comes back.
TEST(Recall, SeveralPeriodsAreFoundAgain) {
  Sequence sequence;
  const auto train = different_sizes(300);
  std::vector<Bytes> evaluate;
  for (Bytes i = 0; i < 120; ++i) evaluate.push_back((3 + i % 7) * MiB + i * 1024);
  for (int i = 0; i < 4; ++i) step(sequence, train);
  step(sequence, evaluate);
  for (int round = 0; round < 3; ++round) {
    EXPECT_GE(step(sequence, train), 290) << "round " << round;
    EXPECT_EQ(step(sequence, train), 300) << "round " << round;
    EXPECT_GE(step(sequence, evaluate), 110) << "round " << round;
    EXPECT_GE(step(sequence, evaluate), 110) << "round " << round;
  }
}

TEST(Recall, APeriodWhoseGuessesAreNoUseIsGivenUp) {
  Sequence sequence;
  const std::vector<Bytes> sizes(200, 8 * MiB);
  step(sequence, sizes);
  EXPECT_EQ(step(sequence, sizes), 200);
  // The same requests elsewhere, and none of the old places is of use any more.
  Bytes at = 100000;
  for (const Bytes size : sizes) EXPECT_FALSE(sequence.request(size, at++));
  for (const Bytes size : sizes) sequence.release(size);
  at = 100000;
  int right = 0;
  for (const Bytes size : sizes) right += sequence.request(size, at++) ? 1 : 0;
  EXPECT_GE(right, 160) << "the new ones are learned";
}

TEST(Recall, AGuessIsAlwaysOfTheSizeAskedFor) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  // Few sizes, many repeats, often a wrong turn. The start says the size.
  Recall recall;
  Bytes live = 0;
  std::vector<Bytes> loop;
  for (int i = 0; i < 50; ++i) loop.push_back((1 + random() % 6) * MiB);
  int guesses = 0, kept = 0;
  for (int i = 0; i < 200000; ++i) {
    const Bytes size =
        random() % 50 == 0 ? (1 + random() % 6) * MiB : loop[static_cast<std::size_t>(i) % 50];
    const Place* guess = recall.guess(size, live);
    if (guess) {
      ++guesses;
      ASSERT_EQ(guess->start / GiB * MiB, size) << "request " << i;
    }
    const bool taken_up = guess && random() % 20 != 0;
    kept += taken_up ? 1 : 0;
    const Place place =
        taken_up ? *guess : Place{size / MiB * GiB + random() % 100 * MiB, nullptr, 0};
    recall.record(size, live, place, taken_up);
    live = i % 50 == 49 ? 0 : live + size;
  }
  EXPECT_GT(guesses, 100000);
  EXPECT_GT(kept, 100000);
}

// More requests than are remembered, in loops of different lengths: the ring goes round and the
// guesses stay right.
TEST(Recall, TheRingGoesRound) {
  Sequence sequence;
  const auto sizes = different_sizes(5000);
  step(sequence, sizes);
  for (int i = 0; i < 60; ++i) ASSERT_EQ(step(sequence, sizes), 5000) << "repetition " << i;
}

TEST(Recall, ALoopLongerThanTheRingIsNotGuessed) {
  Recall recall;
  constexpr Bytes kLong = 140000;
  for (int repetition = 0; repetition < 2; ++repetition)
    for (Bytes i = 0; i < kLong; ++i) {
      const Bytes size = 2 * MiB + i * 512;
      const Place* guess = recall.guess(size, i);
      ASSERT_FALSE(guess && guess->start != i) << "what was overwritten is not guessed";
      recall.record(size, i, {i, nullptr, 0}, guess != nullptr);
    }
}

TEST(Recall, TakesBackOnlyWhatTheLoopWouldHaveHere) {
  Recall recall;
  EXPECT_TRUE(recall.takes_back(2 * MiB, Place{5 * MiB})) << "nothing is known";
  const std::vector<Bytes> sizes = different_sizes(20);
  const auto loop = [&] {
    for (Bytes i = 0; i < sizes.size(); ++i) {
      const Place* guess = recall.guess(sizes[i], i);
      recall.record(sizes[i], i, {i * GiB, nullptr, 0}, guess && guess->start == i * GiB);
    }
  };
  loop();
  loop();
  ASSERT_TRUE(recall.guess(sizes[0], 0)) << "a period is known now";
  EXPECT_FALSE(recall.takes_back(sizes[0], Place{GiB})) << "it had another place";
  EXPECT_FALSE(recall.takes_back(sizes[0] + 512, Place{0})) << "another size";
  EXPECT_TRUE(recall.takes_back(sizes[0], Place{0}));
  EXPECT_TRUE(recall.takes_back(sizes[0], Place{0})) << "the same again";
  EXPECT_TRUE(recall.takes_back(sizes[1], Place{GiB})) << "which counted once";
  const Place* next = recall.guess(sizes[2], 2);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->start, 2 * GiB);
}

TEST(Recall, AWindowIsTakenBackAsItWas) {
  Recall recall;
  auto* window = reinterpret_cast<Window*>(0x1000);
  for (int repetition = 0; repetition < 3; ++repetition)
    for (Bytes i = 0; i < 10; ++i) {
      const Place* guess = recall.guess((2 + i) * MiB, i);
      recall.record((2 + i) * MiB, i, {0, window, 3}, guess != nullptr);
    }
  const Place* guess = recall.guess(2 * MiB, 0);
  ASSERT_TRUE(guess);
  EXPECT_EQ(guess->window, window);
  EXPECT_EQ(guess->generation, 3U);
  EXPECT_FALSE(recall.takes_back(2 * MiB, Place{0})) << "home, and no window";
  EXPECT_FALSE(recall.takes_back(2 * MiB, (Place{0, window, 4}))) << "forgotten since";
  EXPECT_TRUE(recall.takes_back(2 * MiB, (Place{0, window, 3})));
}

TEST(Recall, GranulesForSmallRequestsAreOfferedAtTheirPoint) {
  Recall recall;
  const auto sizes = different_sizes(100);
  const auto offered = [&] {
    std::vector<Bytes> starts;
    recall.each_granule([&](Bytes start) {
      starts.push_back(start);
      return false;
    });
    return starts;
  };
  for (int repetition = 0; repetition < 3; ++repetition)
    for (Bytes i = 0; i < sizes.size(); ++i) {
      const Place* guess = recall.guess(sizes[i], i);
      recall.record(sizes[i], i, {i, nullptr, 0}, guess != nullptr);
      if (repetition == 0 && (i == 20 || i == 60)) recall.record_granule(i * GiB);
      if (repetition == 1 && i == 20) {
        EXPECT_EQ(offered(), std::vector<Bytes>{20 * GiB});
      }
      if (repetition == 1 && i == 40) {
        EXPECT_TRUE(offered().empty());
      }
      if (repetition == 1 && i == 62) {
        EXPECT_EQ(offered(), std::vector<Bytes>{60 * GiB}) << "about";
      }
      if (repetition == 2 && i == 20) {
        EXPECT_TRUE(offered().empty()) << "one period ago was none";
      }
    }
}

TEST(Recall, AGranuleOfTheVeryPointComesFirst) {
  Recall recall;
  const auto sizes = different_sizes(100);
  std::vector<Bytes> starts;
  for (int repetition = 0; repetition < 2; ++repetition)
    for (Bytes i = 0; i < (repetition == 0 ? sizes.size() : 31); ++i) {
      const Place* guess = recall.guess(sizes[i], i);
      recall.record(sizes[i], i, {i, nullptr, 0}, guess != nullptr);
      if (repetition == 0 && i >= 28 && i <= 32) {
        recall.record_granule(i * GiB);
        recall.record_granule(i * GiB);  // once is enough
      }
    }
  recall.each_granule([&](Bytes start) {
    starts.push_back(start / GiB);
    return false;
  });
  EXPECT_EQ(starts, (std::vector<Bytes>{30, 28, 29, 31, 32}));
}

TEST(Recall, ManyGranulesGoRound) {
  Recall recall;
  for (Bytes i = 0; i < 10000; ++i) {
    const Bytes size = (2 + i % 10) * MiB;
    const Place* guess = recall.guess(size, i % 10);
    recall.record(size, i % 10, {i % 10, nullptr, 0}, guess != nullptr);
    recall.record_granule(i * GiB);
  }
  std::vector<Bytes> starts;
  recall.each_granule([&](Bytes start) {
    starts.push_back(start);
    return starts.size() == 3;
  });
  ASSERT_EQ(starts.size(), 3U) << "it stops when told";
  for (const Bytes start : starts) EXPECT_NEAR(static_cast<double>(start / GiB), 9990, 5);
}

// One that never repeats itself leaves others what they need.
TEST(Recall, TimelinesShareABudget) {
  RecallBudget budget;
  budget.left = 2048;
  Recall greedy(&budget);
  for (Bytes i = 1; i < 10000; ++i) greedy.record(i * 512, i, {i, nullptr, 0}, false);
  EXPECT_GE(budget.left, 1000U);
  Recall other(&budget);
  int right = 0;
  for (int round = 0; round < 4; ++round)
    for (Bytes i = 0; i < 200; ++i) {
      const Place* guess = other.guess((i + 2) * MiB, i);
      right += guess && guess->start == i ? 1 : 0;
      other.record((i + 2) * MiB, i, {i, nullptr, 0}, guess != nullptr);
    }
  EXPECT_EQ(right, 600);
}

}  // namespace
}  // namespace gmlake::memory
