// Byte sizes as text: what is accepted, what is refused, and that the exact form comes back.
#include "support/units.h"

#include <gtest/gtest.h>

namespace gmlake {
namespace {

TEST(Units, ReadsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_bytes("512MiB"), 512 * MiB);
  EXPECT_EQ(parse_bytes("1.5 GiB"), 3 * GiB / 2);
  EXPECT_EQ(parse_bytes("2MB"), Bytes{2'000'000});
  EXPECT_EQ(parse_bytes("4096"), Bytes{4096});
  EXPECT_EQ(parse_bytes("4096B"), Bytes{4096});
  EXPECT_EQ(parse_bytes("0"), Bytes{0});
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text :
       {"", "MiB", "12 parsecs", "-1", "1.5", "1..5GiB", "0x10", "9999999999TiB", "1 MiB ", "1.5B"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

TEST(Units, ExactFormComesBack) {
  for (const Bytes n : {Bytes{0}, Bytes{7}, KiB, 1536 * KiB, 512 * MiB, 3 * GiB + MiB, 5 * TiB})
    EXPECT_EQ(parse_bytes(exact_bytes(n)), n) << exact_bytes(n);
  EXPECT_EQ(exact_bytes(1536 * KiB), "1536KiB");
}

TEST(Units, HumanFormKeepsThreeDigits) {
  EXPECT_EQ(human_bytes(11 * GiB + 577 * MiB), "11.56 GiB");
  EXPECT_EQ(human_bytes(2 * MiB), "2.000 MiB");
  EXPECT_EQ(human_bytes(7), "7 B");
}

TEST(Units, RoundsToAnyStep) {
  EXPECT_EQ(round_up(1, 512), Bytes{512});
  EXPECT_EQ(round_up(1024, 512), Bytes{1024});
  EXPECT_EQ(round_down(3 * MiB - 1, MiB), 2 * MiB);
}

}  // namespace
}  // namespace gmlake
