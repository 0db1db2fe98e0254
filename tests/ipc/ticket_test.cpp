// The 64 bytes of a handle: what they name, and that others are not taken for ours.
#include "ipc/ticket.h"

#include <gtest/gtest.h>

namespace gmlake::ipc {
namespace {

TEST(Ticket, IsReadAsItWasWritten) {
  const auto bytes = to_bytes({{1, 2}, 3, 4});
  const auto read = from_bytes(bytes.data());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->process, (ProcessName{1, 2}));
  EXPECT_EQ(read->block, 3U);
  EXPECT_EQ(read->pid, 4U);
}

// Programs keep what they opened by these bytes.
TEST(Ticket, SameBlockSameBytes) {
  EXPECT_EQ(to_bytes({{1, 2}, 3, 4}), to_bytes({{1, 2}, 3, 4}));
  EXPECT_NE(to_bytes({{1, 2}, 3, 4}), to_bytes({{1, 2}, 5, 4}));
  EXPECT_NE(to_bytes({{1, 2}, 3, 4}), to_bytes({{1, 6}, 3, 4}));
}

TEST(Ticket, AnyByteThatIsWrongIsSeen) {
  const auto bytes = to_bytes({{1, 2}, 3, 4});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto wrong = bytes;
    wrong[i] = static_cast<unsigned char>(wrong[i] ^ 0x40U);
    EXPECT_FALSE(from_bytes(wrong.data())) << i;
  }
  EXPECT_FALSE(from_bytes(TicketBytes{}.data()));
}

}  // namespace
}  // namespace gmlake::ipc
