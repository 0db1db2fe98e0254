// A test of two processes: one gives memory or an event, the other takes it. They part before
// either uses the driver, and talk through a socket.
#pragma once

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "../driver.h"

namespace conformance {

class Line {
 public:
  explicit Line(int socket) : socket_(socket) {}
  ~Line() { close(socket_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // Waits until the other has got there too.
  void meet() const {
    give('.');
    take<char>();
  }
  template <typename Value>
  void give(const Value& value) const {
    EXPECT_EQ(send(socket_, &value, sizeof value, MSG_NOSIGNAL),
              static_cast<ssize_t>(sizeof value));
  }
  template <typename Value>
  Value take() const {
    Value value{};
    EXPECT_EQ(recv(socket_, &value, sizeof value, MSG_WAITALL), static_cast<ssize_t>(sizeof value));
    return value;
  }
  void give_file(int file) const {
    Envelope letter;
    cmsghdr* header = CMSG_FIRSTHDR(&letter.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    std::memcpy(CMSG_DATA(header), &file, sizeof file);
    EXPECT_EQ(sendmsg(socket_, &letter.message, MSG_NOSIGNAL), 1);
  }
  int take_file() const {
    Envelope letter;
    int file = -1;
    EXPECT_EQ(recvmsg(socket_, &letter.message, 0), 1);
    if (const cmsghdr* header = CMSG_FIRSTHDR(&letter.message); header != nullptr)
      std::memcpy(&file, CMSG_DATA(header), sizeof file);
    return file;
  }

 private:
  struct Envelope {
    char byte = 0;
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    iovec part{&byte, 1};
    msghdr message{};
    Envelope() {
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = space;
      message.msg_controllen = sizeof space;
    }
  };
  int socket_;
};

class TwoProcesses : public testing::Test {
 protected:
  // Runs `giver` here and `taker` in another process, each with a context of its own.
  template <typename Giver, typename Taker>
  void run(Giver giver, Taker taker) {
    int ends[2] = {};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      alone(taker, ends[1]);
      fflush(stdout);
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    close(ends[1]);
    alone(giver, ends[0]);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the other process: " << status;
  }

  std::uint32_t read(CUdeviceptr at) {
    std::uint32_t value = 0;
    EXPECT_EQ(driver().cuMemcpyDtoH_v2(&value, at, sizeof value), CUDA_SUCCESS);
    return value;
  }
  void write(CUdeviceptr at, std::uint32_t value) {
    EXPECT_EQ(driver().cuMemcpyHtoD_v2(at, &value, sizeof value), CUDA_SUCCESS);
    EXPECT_EQ(driver().cuCtxSynchronize(), CUDA_SUCCESS);
  }

 private:
  template <typename Part>
  void alone(Part part, int socket) {
    const Driver& d = driver();
    const Line line(socket);
    CUcontext context = nullptr;
    ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    part(d, line);
    EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  }
};

}  // namespace conformance
