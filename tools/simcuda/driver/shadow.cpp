#include "shadow.h"

namespace gmlake::simcuda {

// Makes `at` a border between cells.
void Shadow::split(Place at) {
  auto cell = cells_.upper_bound(at);
  if (cell == cells_.begin()) return;
  --cell;
  if (cell->first == at || cell->second.end <= at) return;
  Cell right = cell->second;
  cell->second.end = at;
  cells_.emplace(at, std::move(right));
}

void Shadow::access(Place begin, Place end, const TouchRef& touch, const Clock& now,
                    const Conflict& conflict) {
  split(begin);
  split(end);
  const auto check = [&](const TouchRef& earlier, Place from, Place to) {
    if (earlier != nullptr && !now.covers(earlier->timeline, earlier->tick))
      conflict(*earlier, from, to);
  };
  const auto first = cells_.lower_bound(begin);
  if (touch->write) {
    auto cell = first;
    for (; cell != cells_.end() && cell->first < end; ++cell) {
      check(cell->second.write, cell->first, cell->second.end);
      for (const TouchRef& read : cell->second.reads) check(read, cell->first, cell->second.end);
    }
    cells_.erase(first, cell);
    cells_.emplace(begin, Cell{end, touch, {}});
    return;
  }
  Place next = begin;
  for (auto cell = first; cell != cells_.end() && cell->first < end; ++cell) {
    if (next < cell->first) cells_.emplace_hint(cell, next, Cell{cell->first, nullptr, {touch}});
    check(cell->second.write, cell->first, cell->second.end);
    // A read that is ordered before this one need not be remembered: who is ordered behind this one
    // is behind both.
    std::erase_if(cell->second.reads,
                  [&](const TouchRef& read) { return now.covers(read->timeline, read->tick); });
    cell->second.reads.push_back(touch);
    next = cell->second.end;
  }
  if (next < end) cells_.emplace(next, Cell{end, nullptr, {touch}});
}

void Shadow::renew(Place begin, Place end, TouchRef first) {
  split(begin);
  split(end);
  cells_.erase(cells_.lower_bound(begin), cells_.lower_bound(end));
  if (first != nullptr) cells_.emplace(begin, Cell{end, std::move(first), {}});
}

}  // namespace gmlake::simcuda
