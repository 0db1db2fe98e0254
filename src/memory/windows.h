// Stitched virtual ranges, kept when their block is freed: a later request of that size takes one
// without a driver call if all of its bytes are free. Nothing points from bytes to windows: a
// window is checked against the free regions when it is wanted. They cost virtual addresses and
// page tables, so they leave in LRU order.
//
// Ownership: Windows owns them and reuses their records; a generation tells a forgotten one. One in
// use (busy) is never forgotten. Not thread-safe. find is O(s) in the windows of that size, of
// which a bounded number is looked at; everything else O(1).
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "memory/fence.h"
#include "memory/plan.h"
#include "memory/recall.h"
#include "memory/region.h"

namespace gmlake::memory {

struct Window {
  Bytes size = 0;
  std::vector<Piece> pieces;     // in the home range, in the order they are seen
  std::vector<Region*> regions;  // while busy: the pieces of the block
  bool busy = false;             // a live block is seen through it
  std::uint32_t generation = 0;  // rises when it is forgotten
  Fence last_use;                // of the last block here; it is unmapped only after it
  // For the owner of the virtual memory: the block's first byte, and the mapped range.
  Bytes address = 0;
  Bytes mapped_start = 0;
  Bytes mapped_size = 0;
  std::list<Window*>::iterator lru;
};

// Of a live block.
inline Bytes size_of(const Region* block) {
  const Window* window = block->live.window;
  return window ? window->size : block->size;
}
inline Place place_of(const Region& block) {
  Window* window = block.live.window;
  return window ? Place{0, window, window->generation} : Place{block.start, nullptr, 0};
}

class Windows {
 public:
  // The first idle window of `size` for which `free(window)` holds, or null.
  template <typename Free>
  Window* find(Bytes size, Free free) const;

  Window* add(Bytes size, std::vector<Piece> pieces);
  void use(Window* window);
  void leave(Window* window, Fence last_use);
  void forget(Window* window);  // idle only
  // It is mapped there, and its block is seen at `address`.
  void show(Window* window, Bytes address, Bytes mapped_start, Bytes mapped_size);
  // The window whose block, if it has one, `address` is in; or null. O(log w) for w windows.
  Window* showing(Bytes address) const;

  // The least recently used idle window that `may_go` allows, or null.
  template <typename MayGo>
  Window* oldest(MayGo may_go) const;
  // Every window, busy or idle.
  template <typename Each>
  void each(Each visit) const {
    for (Window* window : lru_) visit(*window);
  }
  // For a walk in steps, between which windows come and go: shows some of them, busy or idle, from
  // record `at` on, and moves `at` behind them; at most `most` pieces of them, or one window.
  // False: no more.
  template <typename Visit>
  bool visit_some(std::size_t& at, std::size_t most, Visit visit) const {
    std::size_t seen = 0;
    for (; at < all_.size() && seen < most; ++at) {
      const Window& window = *all_[at];
      if (seen != 0 && seen + window.pieces.size() > most) break;
      if (window.address != 0) visit(window);
      seen += 1 + window.pieces.size();
    }
    return at < all_.size();
  }

 private:
  static constexpr int kMostLooks = 64;

  std::vector<std::unique_ptr<Window>> all_;
  std::vector<Window*> unused_;  // forgotten records
  std::unordered_map<Bytes, std::vector<Window*>> by_size_;
  std::list<Window*> lru_;          // least recently used first
  std::map<Bytes, Window*> shown_;  // by address
};

template <typename Free>
Window* Windows::find(Bytes size, Free free) const {
  if (lru_.empty()) return nullptr;
  const auto found = by_size_.find(size);
  if (found == by_size_.end()) return nullptr;
  int looks = kMostLooks;
  for (Window* window : found->second)
    if (!window->busy && looks-- > 0 && free(*window)) return window;
  return nullptr;
}

template <typename MayGo>
Window* Windows::oldest(MayGo may_go) const {
  for (Window* window : lru_)
    if (!window->busy && may_go(*window)) return window;
  return nullptr;
}

}  // namespace gmlake::memory
