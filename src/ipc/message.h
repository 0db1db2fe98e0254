// What two processes say to each other: one datagram each on a connected socket, some with
// descriptors. On one connection the importer asks and the owner answers, question by question; on
// another the owner says, when it happens, what it has given back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ipc/descriptor.h"

namespace gmlake::ipc {

enum class Kind : std::uint32_t {
  parts = 1,   // asks for the handles of a block from the `first` on; answered by the same kind
  give = 2,    // asks for descriptors of handles; answered with as many, in that order
  follow = 3,  // this connection is for what the owner gives back; answered once
  gone = 4,    // handles that the owner has given back
};

// A handle as both call it: its number in the owner, drawn once.
struct Part {
  std::uint64_t key = 0;
  std::uint64_t bytes = 0;
};

// Linux passes at most 253 descriptors in one message.
inline constexpr std::size_t kMostParts = 250;
inline constexpr std::uint32_t kProtocol = 1;

struct Message {
  std::uint32_t protocol = kProtocol;
  Kind kind = Kind::parts;
  std::uint32_t refused = 0;  // an answer: not there (any more)
  std::uint32_t count = 0;    // parts that follow; only these are sent
  std::uint64_t block = 0;
  std::uint64_t first = 0;   // of the parts that follow
  std::uint64_t total = 0;   // parts of the block
  std::uint64_t offset = 0;  // of the block in the first of them
  std::uint64_t bytes = 0;   // that its program asked for
  Part parts[kMostParts];

  std::span<const Part> all() const { return {parts, count}; }
  void add(const Part& part) { parts[count++] = part; }
};

// Nothing of it blocks longer than the socket is set to.
enum class Sent { yes, later, no };
Sent send(int socket, const Message& message, std::span<const int> descriptors = {});
enum class Got { message, nothing, end };
// What is no message of this protocol is an end.
Got receive(int socket, Message& message, std::vector<Descriptor>& descriptors);

}  // namespace gmlake::ipc
