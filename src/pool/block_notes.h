// What the program was told or has said about single blocks: their ids, and whether synchronous
// copies that touch them are to be waited for. Only of blocks that somebody has asked about; a note
// is of the block that stood at its address then, which the block itself knows (Region::Live), so
// that giving memory out costs nothing for it.
//
// Guarded by the books' lock. O(1), amortised; memory for twice the live blocks asked about.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <unordered_map>

#include "driver/device.h"

namespace gmlake::pool {

struct BlockNote {
  std::uint64_t id = 0;
  bool synchronous = false;
};

class BlockNotes {
 public:
  // Before one is added: what no block knows of any more goes.
  template <typename IsKnown>
  void keep(IsKnown is_known) {
    if (notes_.size() < most_) return;
    std::erase_if(notes_, [&](const auto& one) { return !is_known(one.first); });
    most_ = std::max(kMost, 2 * notes_.size());
  }
  // Of a new block at that address.
  void add(driver::Address at) { notes_[at] = {next_id(), false}; }
  // There is one.
  BlockNote& at(driver::Address at) { return notes_.at(at); }

 private:
  static constexpr std::size_t kMost = 1024;

  // The driver counts its own from 1 (measured on driver 580).
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{std::uint64_t{1} << 62};
    return ++last;
  }

  std::unordered_map<driver::Address, BlockNote> notes_;
  std::size_t most_ = kMost;
};

}  // namespace gmlake::pool
