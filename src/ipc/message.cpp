#include "ipc/message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace gmlake::ipc {
namespace {

constexpr std::size_t kHead = offsetof(Message, parts);
constexpr std::size_t kMostDescriptors = kMostParts;

std::size_t length_of(const Message& message) {
  return kHead + message.count * sizeof(Part);
}

struct Envelope {
  iovec part{};
  alignas(cmsghdr) std::byte space[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  msghdr header{};

  Envelope(void* data, std::size_t bytes) : part{data, bytes} {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
  }
};

// All of them are taken, so that none is left open, whatever else is wrong.
void take_descriptors(msghdr& header, std::vector<Descriptor>& out) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(at) + i * sizeof number, sizeof number);
      out.emplace_back(number);
    }
  }
}

}  // namespace

Sent send(int socket, const Message& message, std::span<const int> descriptors) {
  Envelope letter(const_cast<Message*>(&message), length_of(message));
  if (!descriptors.empty()) {
    letter.header.msg_control = letter.space;
    letter.header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* head = CMSG_FIRSTHDR(&letter.header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t done = 0;
  do {
    done = sendmsg(socket, &letter.header, MSG_NOSIGNAL);
  } while (done < 0 && errno == EINTR);
  if (done >= 0) return Sent::yes;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? Sent::later : Sent::no;
}

Got receive(int socket, Message& message, std::vector<Descriptor>& descriptors) {
  descriptors.clear();
  Envelope letter(&message, sizeof message);
  letter.header.msg_control = letter.space;
  letter.header.msg_controllen = sizeof letter.space;
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &letter.header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Got::nothing : Got::end;
  take_descriptors(letter.header, descriptors);
  const auto length = static_cast<std::size_t>(got);
  const bool sound = length >= kHead && message.protocol == kProtocol &&
                     message.count <= kMostParts && length == length_of(message) &&
                     (letter.header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return sound ? Got::message : Got::end;
}

}  // namespace gmlake::ipc
