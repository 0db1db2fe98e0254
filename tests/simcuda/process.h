// A second process for tests of what processes share, and a socket that also carries descriptors.
// Start it before the driver is initialised: a child of a process that has done so can not use it.
#pragma once

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include <gtest/gtest.h>

namespace gmlake::simcuda::test {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // A value, and with it a descriptor unless that is negative.
  template <typename T>
  void send(T value, int descriptor = -1) {
    iovec part{&value, sizeof value};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    EXPECT_EQ(sendmsg(fd_, &message, 0), static_cast<ssize_t>(sizeof value));
  }
  template <typename T>
  T receive(int* descriptor = nullptr) {
    T value{};
    iovec part{&value, sizeof value};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    EXPECT_EQ(recvmsg(fd_, &message, MSG_WAITALL), static_cast<ssize_t>(sizeof value));
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (descriptor != nullptr && header != nullptr)
      std::memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return value;
  }

 private:
  int fd_;
};

class Process {
 public:
  explicit Process(const std::function<void(Socket&)>& body) {
    int ends[2] = {};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    child_ = fork();
    if (child_ == 0) {
      close(ends[0]);
      {
        Socket socket(ends[1]);
        body(socket);
      }
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    close(ends[1]);
    socket_ = std::make_unique<Socket>(ends[0]);
  }
  ~Process() {
    socket_.reset();
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the other process failed";
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Socket& socket() { return *socket_; }

 private:
  pid_t child_ = -1;
  std::unique_ptr<Socket> socket_;
};

}  // namespace gmlake::simcuda::test
