// Each reason for running out of memory, the one that helps first in front.
#include <gmock/gmock.h>

#include "pool/shortage.h"

namespace gmlake::pool::shortage_text_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A device of 24 GiB that the pool has all of but 2 GiB.
Shortage plain() {
  Shortage s;
  s.wanted = 2 * GiB;
  s.live = 14 * GiB;
  s.physical = 22 * GiB;
  s.free = 8 * GiB;
  s.largest_span = GiB;
  s.limit_left = s.device_free = 2 * GiB;
  s.device_memory = 24 * GiB;
  return s;
}

std::vector<std::string> lines(const Shortage& shortage, config::Config config = {}) {
  const auto text = explain(shortage, 1, config);
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  EXPECT_LE(lines.size(), 3U) << text;
  EXPECT_THAT(lines.front(), StartsWith("out of memory on device 1: "));
  EXPECT_THAT(lines.back(), AllOf(StartsWith("  live 14"), HasSubstr("2.000 GiB of 24.00 GiB")));
  return lines;
}

TEST(ShortageText, InTooManyPieces) {
  const auto said = lines(plain());
  EXPECT_THAT(said.front(), HasSubstr("2.000 GiB were asked for; as much is free: it is in too "
                                      "many pieces; raise stitch.max_pieces"));
  EXPECT_EQ(said.size(), 2U);
  config::Config config;
  config.stitch_enabled = false;
  EXPECT_THAT(lines(plain(), config).front(), HasSubstr("set stitch.enabled=true"));
}

TEST(ShortageText, PendingWorkByStream) {
  auto s = plain();
  using Kind = stats::StreamName::Kind;
  s.most_pending = {{{Kind::created, 7, nullptr}, 5 * GiB}, {{Kind::host, 0, nullptr}, GiB}};
  const auto said = lines(s);
  EXPECT_THAT(said.front(), HasSubstr("it waits for work of the GPU (5.000 GiB of stream 7, 1.000 "
                                      "GiB of cudaFree); synchronise"));
  ASSERT_EQ(said.size(), 3U);
  EXPECT_THAT(said[1], AllOf(StartsWith("  also: "), HasSubstr("too many pieces")));
}

TEST(ShortageText, TheLimitFirst) {
  auto s = plain();
  s.free = s.limit_left = 0;
  s.missing = 2 * GiB;
  const auto said = lines(s);
  EXPECT_THAT(said.front(), HasSubstr("; 2.000 GiB are missing: pool.max_bytes or pool.max_share"));
}

TEST(ShortageText, OthersHaveIt) {
  auto s = plain();
  s.wanted = 4 * GiB;
  s.physical = 14 * GiB;
  s.free = 0;
  s.missing = 2 * GiB;
  const auto said = lines(s);  // 8 GiB are nobody's here
  EXPECT_THAT(said.front(), HasSubstr("2.000 GiB are missing: 8.000 GiB of the device are other "
                                      "processes' and the driver's"));
  EXPECT_THAT(said[1], HasSubstr("larger device, or a smaller batch"));
}

TEST(ShortageText, ThePoolIsPassedBy) {
  auto s = plain();
  s.wanted = 4 * GiB;
  s.physical = 14 * GiB;
  s.free = 0;
  s.beside = 7 * GiB;
  s.missing = 2 * GiB;
  const auto said = lines(s);
  EXPECT_THAT(said.front(),
              HasSubstr("7.000 GiB of the device are the program's own past the pool"));
  EXPECT_THAT(said[1], Not(HasSubstr("processes'"))) << "which have one";
}

TEST(ShortageText, SimplyTooMuch) {
  auto s = plain();
  s.wanted = 12 * GiB;
  s.physical = 20 * GiB;
  s.missing = 2 * GiB;
  const auto said = lines(s);
  EXPECT_THAT(said.front(), HasSubstr("a larger device, or a smaller batch"));
  EXPECT_THAT(said[1], HasSubstr("other processes'"));
}

}  // namespace
}  // namespace gmlake::pool::shortage_text_test
