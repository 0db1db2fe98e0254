#include "memory/slots.h"

#include <algorithm>

namespace gmlake::memory {

bool Slots::before(const Slot* a, const Slot* b) {
  return std::lexicographical_compare(a->pieces.begin(), a->pieces.end(), b->pieces.begin(),
                                      b->pieces.end(), [](const Piece& x, const Piece& y) {
                                        return x.start != y.start ? x.start < y.start
                                                                  : x.size < y.size;
                                      });
}

Slot* Slots::remember(Bytes size, std::vector<Piece> pieces) {
  auto& known = classes_[size];
  Slot wanted;
  wanted.pieces = std::move(pieces);
  const auto at = std::lower_bound(known.idle.begin(), known.idle.end(), &wanted, before);
  if (at != known.idle.end() && !before(&wanted, *at)) return *at;

  known.all.push_back(std::make_unique<Slot>());
  Slot* slot = known.all.back().get();
  slot->size = size;
  slot->pieces = std::move(wanted.pieces);
  known.idle.insert(at, slot);
  auto& lru = lru_of(slot);
  slot->lru = lru.insert(lru.end(), slot);
  if (places_.size() > kMostPlaces && !places_.front()->busy && places_.front() != slot)
    forget(places_.front());
  return slot;
}

void Slots::use(Slot* slot) {
  auto& idle = classes_.find(slot->size)->second.idle;
  idle.erase(std::lower_bound(idle.begin(), idle.end(), slot, before));
  slot->busy = true;
  auto& lru = lru_of(slot);
  lru.splice(lru.end(), lru, slot->lru);
}

void Slots::leave(Slot* slot, Fence last_use) {
  auto& idle = classes_.find(slot->size)->second.idle;
  idle.insert(std::lower_bound(idle.begin(), idle.end(), slot, before), slot);
  slot->busy = false;
  slot->last_use = last_use;
}

void Slots::forget(Slot* slot) {
  const auto known = classes_.find(slot->size);
  auto& [idle, all] = known->second;
  idle.erase(std::lower_bound(idle.begin(), idle.end(), slot, before));
  lru_of(slot).erase(slot->lru);
  all.erase(
      std::find_if(all.begin(), all.end(), [&](const auto& kept) { return kept.get() == slot; }));
  if (all.empty()) classes_.erase(known);
}

}  // namespace gmlake::memory
