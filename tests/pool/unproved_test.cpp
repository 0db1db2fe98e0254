// Why free memory was not reused: which misses are counted, for whom, and what they cost.
#include "pool/unproved_pairs.h"

#include "pool/bench.h"

namespace gmlake::pool::unproved_test {
namespace {

using stats::StreamName;
using stats::UnprovedCost;
constexpr Bytes kSize = 8 * MiB;
constexpr Bytes kRoomForTwo = 2 * kSize + 2 * MiB;  // with the head room

struct Misses : Bench {
  using Bench::Bench;
  stats::Unproved unproved() const { return pool.report().unproved; }
  // Of the only pair; the sums of all requests are the same.
  UnprovedCost only() const {
    const auto pairs = unproved().pairs;
    EXPECT_EQ(pairs.size(), 1U);
    if (pairs.size() != 1) return {};
    EXPECT_EQ(counters().unproved, pairs[0].cost.requests);
    EXPECT_EQ(counters().unproved_bytes, pairs[0].cost.bytes);
    return pairs[0].cost;
  }
  void expect_none() const {
    EXPECT_TRUE(unproved().pairs.empty());
    EXPECT_EQ(counters().unproved, 0U);
  }
};

TEST(Unproved, NamesWhoWantedItAndWhoFreedIt) {
  Misses m;
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.get(kSize - 100, on_stream(14));
  const auto cost = m.only();
  EXPECT_EQ(cost.requests, 1U);
  EXPECT_EQ(cost.bytes, kSize - 100) << "as asked for";
  EXPECT_EQ(cost.new_bytes, kSize - 100);
  EXPECT_EQ(cost.host_waits + cost.stream_waits + cost.failures, 0U);
  const auto pair = m.unproved().pairs.at(0);
  EXPECT_EQ(pair.wanted_by.kind, StreamName::Kind::created);
  EXPECT_EQ(pair.wanted_by.id, 14U);
  EXPECT_EQ(pair.freed_by.id, 9U);
  m.get(kSize, on_stream(14));
  EXPECT_EQ(m.only().requests, 2U) << "it is still free";
}

// Also when its place in the pool has been taken over by another, which is then a pair of its own.
TEST(Unproved, AStreamThatIsGoneKeepsItsName) {
  Misses m;
  for (const std::uintptr_t n : {9, 10}) {
    m.use_and_free(m.get(kSize, on_stream(n)), on_stream(n));
    m.pool.retire_stream(on_stream(n));
    m.get(kSize, on_stream(14));
    m.device.finish_all();
    EXPECT_EQ(m.pool.trim(0), kSize);
  }
  const auto picture = m.pool.snapshot(m.pool.shortage(0), {});
  EXPECT_NE(picture.find("\"timeline\": 1"), std::string::npos);
  EXPECT_EQ(picture.find("\"timeline\": 2"), std::string::npos) << "stream 10 has that of 9";
  const auto pairs = m.unproved().pairs;
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].freed_by.id, 9U);
  EXPECT_EQ(pairs[1].freed_by.id, 10U);
}

TEST(Unproved, TheDefaultStreamsAndTheHostHaveNamesOfTheirOwn) {
  const auto kind_of = [](const Origin& origin) {
    Misses m;
    m.use_and_free(m.get(kSize, origin), origin);
    m.get(kSize, on_stream(14));
    const auto pairs = m.unproved().pairs;
    return pairs.size() == 1 ? pairs[0].freed_by : StreamName{};
  };
  for (const auto kind : {StreamName::Kind::legacy, StreamName::Kind::per_thread}) {
    auto origin = on_stream(9);
    origin.kind = kind;
    EXPECT_EQ(kind_of(origin).kind, kind);
  }
  EXPECT_EQ(kind_of(kHost).kind, StreamName::Kind::host);
  EXPECT_EQ(kind_of(kHost).context, kContext);
}

TEST(Unproved, NotWhereThereIsAProof) {
  Misses m;
  m.get(kSize, on_stream(14));
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.get(kSize, on_stream(9));  // its own
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.device.finish_all();
  m.get(kSize, on_stream(14));
  EXPECT_EQ(m.counters().reuse_completed, 1U);
  m.expect_none();
}

TEST(Unproved, NotWhereEvenAllOfItWouldBeTooLittle) {
  Misses m;
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.get(2 * kSize, on_stream(14));
  m.expect_none();
}

// The others' memory would have made one piece; its own makes two, at no cost in memory.
TEST(Unproved, NotWhereOtherFreeMemoryIsPutTogether) {
  Misses m;
  const auto one = m.get(kSize, on_stream(14));
  m.get(kSize, on_stream(14));
  const auto two = m.get(kSize, on_stream(14));
  m.get(kSize, on_stream(14));
  m.use_and_free(m.get(2 * kSize, on_stream(9)), on_stream(9));
  m.use_and_free(one, on_stream(14));
  m.use_and_free(two, on_stream(14));
  m.get(2 * kSize, on_stream(14));
  EXPECT_EQ(m.counters().stitches, 1U);
  m.expect_none();
}

TEST(Unproved, BytesAreAtMostWhatWasFreeAndWhatWasAskedFor) {
  Misses m;
  const auto mine = m.get(2 * kSize, on_stream(14));
  const auto a = m.get(kSize, on_stream(9)), b = m.get(3 * kSize, on_stream(10));
  m.use_and_free(mine, on_stream(14));
  m.use_and_free(a, on_stream(9));
  m.use_and_free(b, on_stream(10));
  m.get(4 * kSize, on_stream(14));  // of which 2 are its own, and 2 are new
  const auto pairs = m.unproved().pairs;
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].freed_by.id, 10U) << "the one with the most bytes first";
  EXPECT_EQ(pairs[0].cost.bytes, 3 * kSize);
  EXPECT_EQ(pairs[0].cost.new_bytes, 2 * kSize);
  EXPECT_EQ(pairs[1].cost.bytes, kSize);
  EXPECT_EQ(pairs[1].cost.new_bytes, kSize);
  EXPECT_EQ(m.counters().unproved, 1U);
  EXPECT_EQ(m.counters().unproved_bytes, 4 * kSize);
}

// Without stitching, pieces that are too small help nobody.
TEST(Unproved, WithoutStitchingOnlySpansThatAreLargeEnough) {
  auto config = plain();
  config.stitch_enabled = false;
  for (const bool scattered : {true, false}) {
    Misses m(GiB, config);
    const auto a = m.get(kSize, on_stream(9));
    if (scattered) m.get(kSize, on_stream(9));
    const auto b = m.get(kSize, on_stream(9));
    m.use_and_free(a, on_stream(9));
    m.use_and_free(b, on_stream(9));
    m.get(2 * kSize, on_stream(14));
    if (scattered)
      m.expect_none();
    else
      EXPECT_EQ(m.only().bytes, 2 * kSize);
  }
}

TEST(Unproved, SmallRequestsWantSmallHolesOrAWholeChunk) {
  Misses m;
  (void)m.get(kSize, on_stream(14));
  m.use_and_free(m.get(4096, on_stream(9)), on_stream(9));
  (void)m.pool.given(on_stream(9));  // nothing is parked any more: it has joined its neighbours
  m.get(1000, on_stream(14));
  EXPECT_EQ(m.only().bytes, 1000U);
  EXPECT_EQ(m.only().new_bytes, 1000U);
  Misses large;
  large.use_and_free(large.get(2 * MiB, on_stream(9)), on_stream(9));
  large.get(1000, on_stream(14));
  EXPECT_EQ(large.only().bytes, 1000U);
}

TEST(Unproved, AStreamThatWaitedInstead) {
  Misses m(kRoomForTwo);
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.get(kSize, on_stream(14));
  m.get(kSize, on_stream(14));
  const auto cost = m.only();
  EXPECT_EQ(cost.requests, 2U);
  EXPECT_EQ(cost.new_bytes, kSize) << "the first of them";
  EXPECT_EQ(cost.stream_waits, 1U);
  EXPECT_EQ(cost.host_waits, 0U);
}

TEST(Unproved, AHostThatWaitedInstead) {
  auto config = plain();
  config.streams_insert_waits = false;
  Misses m(kRoomForTwo, config);
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.get(kSize, on_stream(14));
  m.get(kSize, on_stream(14));
  const auto cost = m.only();
  EXPECT_EQ(cost.stream_waits, 0U);
  EXPECT_EQ(cost.host_waits, 1U);
}

TEST(Unproved, AnAllocationThatFailed) {
  Misses m(kRoomForTwo);
  m.use_and_free(m.get(kSize, on_stream(9)), on_stream(9));
  m.device.capturing = true;
  m.get(kSize, on_stream(14));
  EXPECT_FALSE(m.pool.allocate(kSize, on_stream(14)));
  EXPECT_EQ(m.only().failures, 1U);
}

TEST(Unproved, TheHostThatWaitedForItsOwnFrees) {
  auto config = plain();
  config.streams_pending_bytes = 0;
  Misses m(GiB, config);
  m.use_and_free(m.get(kSize, kHost), kHost);
  m.get(kSize, kHost);
  const auto cost = m.only();
  EXPECT_EQ(cost.host_waits, 1U) << "cudaMalloc waited rather than let the pool grow";
  EXPECT_EQ(cost.new_bytes, 0U);
}

TEST(Unproved, BytesOfEachProofAddUp) {
  Misses m;
  const auto at = m.get(kSize, on_stream(9));
  m.use_and_free(at, on_stream(9));
  for (int i = 0; i < 3; ++i)
    m.use_and_free(m.get(kSize - 1, on_stream(9)), on_stream(9));  // without the pool
  m.device.finish_all();
  m.get(kSize - 2, on_stream(14));
  const auto c = m.counters();
  EXPECT_EQ(c.reuse_new_bytes, kSize);
  EXPECT_EQ(c.reuse_own_stream_bytes, 3 * (kSize - 1));
  EXPECT_EQ(c.reuse_completed_bytes, kSize - 2);
  EXPECT_EQ(c.reuse_proved_bytes, 0U);
  EXPECT_EQ(c.allocated_bytes,
            c.reuse_new_bytes + c.reuse_own_stream_bytes + c.reuse_completed_bytes);
}

stats::UnprovedPair pair_of(std::uint64_t wanted_by, std::uint64_t freed_by, Bytes bytes) {
  stats::UnprovedPair pair;
  pair.wanted_by.id = wanted_by;
  pair.freed_by.id = freed_by;
  pair.cost.requests = 1;
  pair.cost.bytes = bytes;
  return pair;
}

TEST(UnprovedPairs, TheHeaviestStayAndNothingIsLost) {
  stats::KeptPairs record;
  UnprovedPairs pairs(record);
  Bytes given = 0;
  for (std::uint64_t light = 0; light < 10000; ++light) {
    pairs.add(pair_of(light, 1, 10));
    given += 10;
    if (light % 10 != 0) continue;
    pairs.add(pair_of(7, 2, 1000));
    given += 1000;
  }
  Bytes heavy = 0, kept = 0;
  for (const auto& pair : stats::unproved_of(record).pairs) {
    kept += pair.cost.bytes;
    if (pair.freed_by.id == 2) heavy = pair.cost.bytes;
  }
  EXPECT_EQ(record.count, UnprovedPairs::kMost);
  EXPECT_EQ(heavy, 1000000U) << "exactly: it was never put out";
  EXPECT_EQ(kept + record.others.bytes, given);
  EXPECT_EQ(record.others.requests, 10000 - (UnprovedPairs::kMost - 1));
}

// Every other is one of many light ones, none of which comes twice.
TEST(UnprovedPairs, AHeavyOneThatComesLateGetsAPlace) {
  stats::KeptPairs record;
  UnprovedPairs pairs(record);
  for (std::uint64_t light = 0; light < 1000; ++light) pairs.add(pair_of(light, 1, 10));
  for (std::uint64_t light = 1000; light < 2000; ++light) {
    pairs.add(pair_of(light, 1, 10));
    pairs.add(pair_of(0, 2, 500));
  }
  Bytes heavy = 0;
  for (const auto& pair : stats::unproved_of(record).pairs)
    if (pair.freed_by.id == 2) heavy = pair.cost.bytes;
  EXPECT_GE(heavy, 400000U);
}

}  // namespace
}  // namespace gmlake::pool::unproved_test
