// Earlier placements of each size, kept so that a loop repeats itself: a request takes the place an
// equal one had before if all of those bytes are free, lowest address first.
//
// A slot is a contiguous place in the home range or a window (a stitched virtual range with its
// mappings). Nothing points from bytes to slots: a slot is checked against the free spans when it
// is wanted. Contiguous slots cost a record; windows cost virtual addresses and page tables, so
// both leave in LRU order.
//
// Ownership: the index owns its slots; a slot in use (busy) is never removed. Not thread-safe.
// Finding and remembering are O(log s) in the slots of that size plus the slots looked at.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "memory/fence.h"
#include "memory/plan.h"
#include "memory/slab.h"

namespace gmlake::memory {

struct Slot {
  Bytes size = 0;
  std::vector<Piece> pieces;  // in the home range, in the order they are seen
  bool busy = false;          // a live block is placed here
  Fence last_use;             // of the last block here; a window is unmapped only after it
  // For windows, kept for the owner of the virtual memory:
  Bytes window_address = 0;  // start of the mapped range, 0 for a contiguous slot
  Bytes window_size = 0;
  std::list<Slot*>::iterator lru;

  bool window() const { return pieces.size() > 1; }
};

class Slots {
 public:
  // The lowest idle slot of `size` for which `free(slot)` holds, or null. Looks at a bounded
  // number.
  template <typename Free>
  Slot* find(Bytes size, Free free);

  // The slot for this placement: an idle one known already, or a new one. The caller makes it busy
  // with use().
  Slot* remember(Bytes size, std::vector<Piece> pieces);
  void use(Slot* slot);
  void leave(Slot* slot, Fence last_use);
  void forget(Slot* slot);  // idle only

  // The least recently used idle window that `may_go` allows, or null.
  template <typename MayGo>
  Slot* oldest_window(MayGo may_go) const;

 private:
  // Contiguous places remembered over all sizes; the least recently used are forgotten beyond it.
  static constexpr std::size_t kMostPlaces = 65536;
  static constexpr std::size_t kMostLooks = 1024;

  struct Class {              // one size
    std::vector<Slot*> idle;  // lowest address first
    std::vector<std::unique_ptr<Slot>> all;
  };
  static bool before(const Slot* a, const Slot* b);
  std::list<Slot*>& lru_of(const Slot* slot) { return slot->window() ? windows_ : places_; }

  std::unordered_map<Bytes, Class> classes_;
  std::list<Slot*> places_;   // contiguous slots, least recently used first
  std::list<Slot*> windows_;  // windows, likewise
};

template <typename Free>
Slot* Slots::find(Bytes size, Free free) {
  const auto found = classes_.find(size);
  if (found == classes_.end()) return nullptr;
  std::size_t looks = 0;
  for (Slot* slot : found->second.idle) {
    if (free(*slot)) return slot;
    if (++looks == kMostLooks) break;
  }
  return nullptr;
}

template <typename MayGo>
Slot* Slots::oldest_window(MayGo may_go) const {
  for (Slot* slot : windows_)
    if (!slot->busy && may_go(*slot)) return slot;
  return nullptr;
}

}  // namespace gmlake::memory
