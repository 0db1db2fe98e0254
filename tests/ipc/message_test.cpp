// What is said between processes: whole messages with descriptors, and what is refused.
#include "ipc/message.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <array>

namespace gmlake::ipc {
namespace {

class Messages : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
              0);
    here_ = Descriptor(ends[0]);
    there_ = Descriptor(ends[1]);
  }
  Got receive_there() { return receive(there_.number(), got_, descriptors_); }
  void send_bytes(const void* data, std::size_t bytes) {
    ASSERT_EQ(::send(here_.number(), data, bytes, 0), static_cast<ssize_t>(bytes));
  }

  Descriptor here_, there_;
  Message got_;
  std::vector<Descriptor> descriptors_;
};

TEST_F(Messages, ArriveAsTheyWereSent) {
  Message message;
  message.kind = Kind::parts;
  message.block = 7;
  message.total = 2;
  message.add({1, 100});
  message.add({2, 200});
  ASSERT_EQ(send(here_.number(), message), Sent::yes);
  ASSERT_EQ(receive_there(), Got::message);
  EXPECT_EQ(got_.block, 7U);
  ASSERT_EQ(got_.count, 2U);
  EXPECT_EQ(got_.parts[1].bytes, 200U);
  EXPECT_EQ(receive_there(), Got::nothing);
}

TEST_F(Messages, CarryAsManyDescriptorsAsParts) {
  Message message;
  message.kind = Kind::give;
  while (message.count < kMostParts) message.add({message.count, 1});
  const std::vector<int> numbers(kMostParts, 0);
  ASSERT_EQ(send(here_.number(), message, numbers), Sent::yes);
  ASSERT_EQ(receive_there(), Got::message);
  ASSERT_EQ(descriptors_.size(), kMostParts);
  for (const auto& one : descriptors_) EXPECT_EQ(fcntl(one.number(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Messages, WhoEndsIsSeen) {
  here_.close();
  EXPECT_EQ(receive_there(), Got::end);
}

// Of another protocol, cut short, or with a count that is not true.
TEST_F(Messages, OthersAreAnEnd) {
  Message message;
  message.protocol = kProtocol + 1;
  ASSERT_EQ(send(here_.number(), message), Sent::yes);
  EXPECT_EQ(receive_there(), Got::end);
  message = {};
  send_bytes(&message, 10);
  EXPECT_EQ(receive_there(), Got::end);
  message.count = 3;
  send_bytes(&message, offsetof(Message, parts) + sizeof(Part));
  EXPECT_EQ(receive_there(), Got::end);
  message.count = ~0U;
  send_bytes(&message, sizeof message);
  EXPECT_EQ(receive_there(), Got::end);
}

TEST_F(Messages, WhoDoesNotReadIsNotWaitedFor) {
  Message message;
  message.count = kMostParts;
  auto sent = Sent::yes;
  for (int i = 0; i < 10000 && sent == Sent::yes; ++i) sent = send(here_.number(), message);
  EXPECT_EQ(sent, Sent::later);
  there_.close();
  EXPECT_EQ(send(here_.number(), message), Sent::no);
}

// In a forked child they are closed.
TEST_F(Messages, AChildHasNone) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close_descriptors_after_fork();
    _exit(fcntl(here_.number(), F_GETFD) == -1 && fcntl(there_.number(), F_GETFD) == -1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(send(here_.number(), Message()), Sent::yes);
}

}  // namespace
}  // namespace gmlake::ipc
