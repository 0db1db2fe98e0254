// Memory that nothing has wanted for a while goes back to the device. Nobody reads a clock for it:
// whoever has a clock looks from time to time, and what was made or freed since an earlier look is
// wanted. A loop that comes by less often than that would pay for its memory each time; so after
// memory that went is made again within reach, twice as many looks have to pass.
#include <algorithm>

#include "pool/device_pool.h"

namespace gmlake::pool {
namespace {

constexpr unsigned kMostPatience = 16;       // times what was asked for
constexpr std::size_t kRegionsAtOnce = 128;  // regions looked at under the lock: some microseconds
// A miss of the program's that comes meanwhile waits for so much to be unmapped: some milliseconds.
constexpr Bytes kPart = 256 * MiB;

}  // namespace

bool DevicePool::look_for_unwanted(unsigned looks) {
  // The last blocks that a stream freed are taken for freed now.
  books_.unpark_all();
  auto patience =
      std::clamp(patience_.load(std::memory_order_relaxed), looks, kMostPatience * looks);
  patience_.store(patience, std::memory_order_relaxed);
  std::uint32_t now = 0;
  {
    const Books::Opened books(books_.mutex());
    now = books_.placement().look_again();
  }
  look_.store(now, std::memory_order_relaxed);
  const auto last = last_release_.load(std::memory_order_relaxed);
  if (last != 0 && now - last > kMostPatience * looks) {
    // What is wanted from here on is something else.
    last_release_.store(0, std::memory_order_relaxed);
    patience_.store(patience = looks, std::memory_order_relaxed);
  }
  if (now <= patience) return false;
  const auto since = now - patience;
  unwanted_since_.store(since, std::memory_order_relaxed);
  if (!has_unwanted(since)) return false;
  follower_.harvest_all();
  return release_unwanted();
}

bool DevicePool::has_unwanted(std::uint32_t since) const {
  bool found = false;
  Bytes at = 0;
  for (bool more = true; more && !found;) {
    const Books::Opened books(books_.mutex());
    const auto& placement = books_.placement();
    more = placement.home().visit_some(at, kRegionsAtOnce, [&](const memory::Region& region) {
      found = found || placement.is_unwanted(region, since);
    });
  }
  return found;
}

bool DevicePool::release_unwanted() {
  if (device_.captures()) return false;
  Bytes bytes = 0;
  {
    const Growing growing(supply_.mutex());
    bytes = supply_.give_back_unwanted(kPart, unwanted_since_.load(std::memory_order_relaxed));
  }
  if (bytes == 0) return false;
  count([&](stats::DeviceCounters& counters) { counters.unwanted_bytes += bytes; });
  last_release_.store(look_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return true;
}

// The pool grows after memory has gone. That it is the same program's loop again is a guess.
void DevicePool::note_growth() {
  const auto last = last_release_.exchange(0, std::memory_order_relaxed);
  const auto patience = patience_.load(std::memory_order_relaxed);
  if (last == 0 || patience == 0) return;
  patience_.store(2 * patience, std::memory_order_relaxed);
}

}  // namespace gmlake::pool
