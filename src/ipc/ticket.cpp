#include "ipc/ticket.h"

#include <cstring>

namespace gmlake::ipc {
namespace {

// As it lies in the handle. The sum tells it from the driver's own, which are opaque, more surely
// than the magic alone.
struct Written {
  char magic[8] = {'g', 'm', 'l', 'a', 'k', 'e', 'I', '1'};
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::uint64_t block = 0;
  std::uint64_t pid = 0;
  std::uint64_t unused[2] = {};
  std::uint64_t sum = 0;
};
static_assert(sizeof(Written) == kTicketBytes);

std::uint64_t sum_of(const Written& written) {
  std::array<unsigned char, offsetof(Written, sum)> bytes{};
  std::memcpy(bytes.data(), &written, bytes.size());
  std::uint64_t sum = 0xcbf29ce484222325;  // FNV-1a
  for (const auto byte : bytes) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

}  // namespace

TicketBytes to_bytes(const Ticket& ticket) {
  Written written;
  written.high = ticket.process.high;
  written.low = ticket.process.low;
  written.block = ticket.block;
  written.pid = ticket.pid;
  written.sum = sum_of(written);
  TicketBytes bytes{};
  std::memcpy(bytes.data(), &written, bytes.size());
  return bytes;
}

std::optional<Ticket> from_bytes(const void* bytes) {
  Written written;
  std::memcpy(&written, bytes, sizeof written);
  if (std::memcmp(written.magic, Written{}.magic, sizeof written.magic) != 0 ||
      written.sum != sum_of(written))
    return {};
  return Ticket{
      {written.high, written.low}, written.block, static_cast<std::uint32_t>(written.pid)};
}

}  // namespace gmlake::ipc
