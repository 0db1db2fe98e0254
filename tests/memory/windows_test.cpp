// Kept stitched ranges: found by size while idle, forgotten in the order of their last use, and
// told apart from a later one in the same record.
#include "memory/windows.h"

#include <gtest/gtest.h>

namespace gmlake::memory {
namespace {

const auto any = [](const Window&) { return true; };

std::vector<Piece> pieces(Bytes start) {
  return {{start, MiB}, {start + 8 * MiB, MiB}};
}

TEST(Windows, OneIsFoundByItsExactSizeWhileItIsIdleAndFree) {
  Windows windows;
  Window* first = windows.add(2 * MiB, pieces(0));
  Window* second = windows.add(2 * MiB, pieces(32 * MiB));
  EXPECT_EQ(windows.find(2 * MiB, any), first);
  EXPECT_EQ(windows.find(2 * MiB, [&](const Window& w) { return &w == second; }), second);
  EXPECT_FALSE(windows.find(2 * MiB, [](const Window&) { return false; }));
  EXPECT_FALSE(windows.find(3 * MiB, any));
  windows.use(first);
  EXPECT_EQ(windows.find(2 * MiB, any), second);
  windows.use(second);
  EXPECT_FALSE(windows.find(2 * MiB, any)) << "both are in use";
  windows.leave(first, {3, 7});
  EXPECT_EQ(windows.find(2 * MiB, any), first);
  EXPECT_EQ(first->last_use.timeline, 3U);
  EXPECT_EQ(first->last_use.value, 7U);
}

TEST(Windows, TheOldestIsTheIdleOneUsedLongestAgo) {
  Windows windows;
  Window* a = windows.add(MiB, pieces(0));
  Window* b = windows.add(2 * MiB, pieces(MiB));
  Window* c = windows.add(MiB, pieces(2 * MiB));
  for (Window* window : {a, b, c}) windows.use(window);
  EXPECT_FALSE(windows.oldest(any));
  for (Window* window : {c, b, a}) windows.leave(window, {});
  EXPECT_EQ(windows.oldest(any), a) << "the order of use counts, not of leaving";
  windows.use(a);
  windows.leave(a, {});
  EXPECT_EQ(windows.oldest(any), b);
  EXPECT_EQ(windows.oldest([&](const Window& w) { return &w != b; }), c);
  windows.use(b);
  EXPECT_EQ(windows.oldest(any), c) << "one in use never goes";
}

TEST(Windows, AForgottenOneIsNotFoundAndItsRecordIsToldApart) {
  Windows windows;
  Window* first = windows.add(MiB, pieces(0));
  windows.use(first);
  windows.show(first, 4096, 4096, MiB);
  first->regions.push_back(nullptr);
  windows.leave(first, {});
  const auto generation = first->generation;
  windows.forget(first);
  EXPECT_FALSE(windows.find(MiB, any));
  EXPECT_FALSE(windows.oldest(any));
  windows.each([](const Window&) { FAIL() << "none is left"; });

  Window* again = windows.add(4 * MiB, pieces(MiB));
  EXPECT_EQ(again, first) << "records are used again";
  EXPECT_NE(again->generation, generation);
  EXPECT_FALSE(again->busy);
  EXPECT_TRUE(again->regions.empty());
  EXPECT_EQ(again->address, 0U);
  EXPECT_FALSE(windows.find(MiB, any));
  EXPECT_EQ(windows.find(4 * MiB, any), again);
}

TEST(Windows, EachVisitsAllOfThem) {
  Windows windows;
  windows.use(windows.add(MiB, pieces(0)));
  windows.add(MiB, pieces(MiB));
  Window* gone = windows.add(2 * MiB, pieces(2 * MiB));
  windows.forget(gone);
  Bytes seen = 0;
  windows.each([&](const Window& window) { seen += window.size; });
  EXPECT_EQ(seen, 2 * MiB) << "busy and idle, not forgotten";
}

TEST(Windows, AWalkInStepsMissesNoneThatStays) {
  Windows windows;
  Window* made[5];
  for (std::size_t i = 0; i < 5; ++i) {
    made[i] = windows.add(MiB, std::vector<Piece>(i == 2 ? 100 : 2));
    made[i]->address = i + 1;
  }
  std::vector<Bytes> seen;
  std::size_t at = 0;
  const auto step = [&] {
    seen.clear();
    return windows.visit_some(at, 6, [&](const Window& window) { seen.push_back(window.address); });
  };
  EXPECT_TRUE(step());
  EXPECT_EQ(seen, (std::vector<Bytes>{1, 2}));
  windows.use(made[0]);  // the order of use does not matter
  EXPECT_TRUE(step());
  EXPECT_EQ(seen, std::vector<Bytes>{3}) << "one alone, however many pieces it has";
  windows.forget(made[3]);
  EXPECT_FALSE(step());
  EXPECT_EQ(seen, std::vector<Bytes>{5});
  EXPECT_FALSE(step());
  EXPECT_TRUE(seen.empty());
}

TEST(Windows, AreFoundByAnyAddressOfTheirBlock) {
  Windows windows;
  Window* low = windows.add(2 * MiB, pieces(0));
  Window* high = windows.add(2 * MiB, pieces(32 * MiB));
  windows.show(high, GiB + 4096, GiB, 4 * MiB);
  windows.show(low, 4096, 0, 4 * MiB);
  for (const Bytes at : {Bytes{4096}, MiB, 2 * MiB + 4095}) EXPECT_EQ(windows.showing(at), low);
  for (const Bytes at : {Bytes{0}, Bytes{4095}, 2 * MiB + 4096, GiB, GiB + 3 * MiB})
    EXPECT_FALSE(windows.showing(at));
  EXPECT_EQ(windows.showing(GiB + MiB), high);
  windows.use(high);
  windows.leave(high, {});
  windows.forget(high);
  EXPECT_FALSE(windows.showing(GiB + MiB));
  EXPECT_EQ(windows.showing(MiB), low);
}

}  // namespace
}  // namespace gmlake::memory
