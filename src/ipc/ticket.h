// What the 64 bytes of a memory handle say, where the memory is a pool's: which process, and which
// block of it. Everything else is asked of that process when the handle is opened.
//
// The same block always gives the same bytes, and no two blocks do, whatever their addresses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "support/units.h"

namespace gmlake::ipc {

// A process as others know it: drawn by lot, so that no process that has its number later is taken
// for it.
struct ProcessName {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const ProcessName&) const = default;
  bool operator<(const ProcessName& other) const {
    return high != other.high ? high < other.high : low < other.low;
  }
};

struct Ticket {
  ProcessName process;
  std::uint64_t block = 0;  // numbered from 1 as they are first shared
  std::uint32_t pid = 0;    // for messages: in that process's own namespace
};

inline constexpr std::size_t kTicketBytes = 64;
using TicketBytes = std::array<unsigned char, kTicketBytes>;

TicketBytes to_bytes(const Ticket& ticket);
// Nothing for a handle of the driver's, or one that was damaged.
std::optional<Ticket> from_bytes(const void* bytes);

}  // namespace gmlake::ipc
