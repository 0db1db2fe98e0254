#include "memory/windows.h"

#include <algorithm>

namespace gmlake::memory {

Window* Windows::add(Bytes size, std::vector<Piece> pieces) {
  if (unused_.empty()) {
    all_.push_back(std::make_unique<Window>());
    unused_.push_back(all_.back().get());
  }
  Window* window = unused_.back();
  unused_.pop_back();
  window->size = size;
  window->pieces = std::move(pieces);
  window->lru = lru_.insert(lru_.end(), window);
  by_size_[size].push_back(window);
  return window;
}

void Windows::use(Window* window) {
  window->busy = true;
  lru_.splice(lru_.end(), lru_, window->lru);
}

void Windows::leave(Window* window, Fence last_use) {
  window->busy = false;
  window->last_use = last_use;
  window->regions.clear();
}

void Windows::forget(Window* window) {
  const auto same_size = by_size_.find(window->size);
  std::erase(same_size->second, window);
  if (same_size->second.empty()) by_size_.erase(same_size);
  lru_.erase(window->lru);
  shown_.erase(window->address);
  ++window->generation;
  window->address = 0;
  unused_.push_back(window);
}

void Windows::show(Window* window, Bytes address, Bytes mapped_start, Bytes mapped_size) {
  window->address = address;
  window->mapped_start = mapped_start;
  window->mapped_size = mapped_size;
  shown_[address] = window;
}

Window* Windows::showing(Bytes address) const {
  auto next = shown_.upper_bound(address);
  if (next == shown_.begin()) return nullptr;
  Window* window = (--next)->second;
  return address - window->address < window->size ? window : nullptr;
}

}  // namespace gmlake::memory
