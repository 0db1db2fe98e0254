// Lines of CPython's tables, as its documents explain them, and of anything else.
#include "who/python_lines.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace gmlake::who {
namespace {

using Kind = PythonLines::Kind;
using Table = std::vector<unsigned char>;

constexpr unsigned char down(int lines) {
  return static_cast<unsigned char>(256 - lines);
}

TEST(PythonLines, Steps) {
  const Table table{6, 1, 44, 5, 4, down(3), 255, 0, 45, 127, 0, 74};
  const auto line = [&](long at) { return PythonLines::line_of(Kind::steps, table, 10, at); };
  EXPECT_EQ(line(0), 10);
  EXPECT_EQ(line(5), 10);
  EXPECT_EQ(line(6), 11);
  EXPECT_EQ(line(50), 16);
  EXPECT_EQ(line(54), 13);
  EXPECT_EQ(line(353), 13);
  EXPECT_EQ(line(354), 13 + 127 + 74);
  EXPECT_EQ(line(-1), 10);
}

TEST(PythonLines, Ranges) {
  const Table table{4, 1, 10, 0x80, 6, 3, 0, 127, 8, 100, 2, down(5)};
  const auto line = [&](long at) { return PythonLines::line_of(Kind::ranges, table, 10, at); };
  EXPECT_EQ(line(0), 11);
  EXPECT_EQ(line(3), 11);
  EXPECT_EQ(line(4), 10);  // of none: where the code begins
  EXPECT_EQ(line(14), 14);
  EXPECT_EQ(line(20), 14 + 227);
  EXPECT_EQ(line(28), 14 + 222);
  EXPECT_EQ(line(30), 10);  // behind all
}

TEST(PythonLines, Locations) {
  const auto entry = [](unsigned kind, unsigned units) {
    return static_cast<unsigned char>(128 | kind << 3 | (units - 1));
  };
  const Table table{entry(15, 1),  // none
                    entry(0, 2),
                    0x11,  // the same line
                    entry(12, 1),
                    4,
                    5,  // two further
                    entry(14, 8),
                    64 | (200 << 1 & 63),
                    200 >> 5,  // 200 further, ends so much later
                    1,
                    2,
                    3,
                    entry(13, 1),
                    5 << 1 | 1};  // five back
  const auto line = [&](long at) { return PythonLines::line_of(Kind::locations, table, 10, at); };
  EXPECT_EQ(line(0), 10);
  EXPECT_EQ(line(2), 10);
  EXPECT_EQ(line(6), 12);
  EXPECT_EQ(line(8), 212);
  EXPECT_EQ(line(23), 212);
  EXPECT_EQ(line(24), 207);
  EXPECT_EQ(line(26), 10);
}

TEST(PythonLines, AnyBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    Table table(random() % 40);
    for (auto& byte : table) byte = static_cast<unsigned char>(random());
    table.shrink_to_fit();
    for (const auto kind : {Kind::steps, Kind::ranges, Kind::locations})
      EXPECT_GE(PythonLines::line_of(kind, table, 1, static_cast<long>(random() % 300)), 0);
  }
}

}  // namespace
}  // namespace gmlake::who
