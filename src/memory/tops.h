// By timeline, above the highest bin that it may have something in; and which timelines have
// something above a given bin, without a look at the others: sets of timelines by the octave of
// their tops.
//
// Where there are more than a caller wants to look at, it gets the next ones from a place on that
// stays until look_on(): all questions of one request are about the same timelines.
//
// Complexity: set O(1); above O(t / 64) for t timelines, and a bounded number of single looks. Two
// bytes and some bits a timeline. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "memory/bins.h"

namespace gmlake::memory {

class Tops {
 public:
  std::size_t size() const { return tops_.size(); }
  std::size_t of(Timeline timeline) const { return tops_[timeline]; }
  void resize(std::size_t timelines) {
    if (timelines > tops_.size()) tops_.resize(timelines);
  }
  void set(Timeline timeline, std::size_t top) {
    const auto before = std::size_t{tops_[timeline]};
    tops_[timeline] = static_cast<std::uint16_t>(top);
    if (octave_of(before) == octave_of(top)) return;
    if (before != 0) change(octave_of(before), timeline, false);
    if (top != 0) change(octave_of(top), timeline, true);
  }

  // The timelines with a top above `bin`, in rising order, as far as `out` has room; gives how
  // many.
  std::size_t above(std::size_t bin, std::span<Timeline> out) {
    std::array<const Set*, Bins::kOctaves> sets{};
    std::size_t count = 0;
    for (auto octave = bin / Bins::kPerOctave; octave < Bins::kOctaves; ++octave)
      if (sets_[octave].size != 0) sets[count++] = &sets_[octave];
    std::size_t found = 0;
    int looks = kMostLooks;
    const auto words = (tops_.size() + 63) / 64;
    const auto part = [&](std::size_t from, std::size_t to) {
      for (auto word = from / 64; word < to; ++word) {
        std::uint64_t members = 0;
        for (std::size_t i = 0; i < count; ++i)
          if (word < sets[i]->words.size()) members |= sets[i]->words[word];
        if (word == from / 64) members = members >> (from % 64) << (from % 64);
        for (; members != 0; members &= members - 1) {
          const auto timeline =
              static_cast<Timeline>(word * 64 + static_cast<unsigned>(std::countr_zero(members)));
          if (found == out.size() || looks-- == 0) {
            next_ = timeline;
            return false;
          }
          if (tops_[timeline] > bin) out[found++] = timeline;
        }
      }
      return true;
    };
    // Those before the place come last; in its own word only the rest.
    if (count != 0 && part(from_, words) && from_ != 0) {
      const auto all = found;
      (void)part(0, from_ / 64 + 1);
      while (found > all && out[found - 1] >= from_) --found;
    }
    std::sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(found));
    return found;
  }
  // From here on others come first, if there were any more.
  void look_on() { from_ = next_; }

 private:
  static constexpr int kMostLooks = 1024;
  struct Set {
    std::vector<std::uint64_t> words;  // a bit for each timeline
    std::size_t size = 0;
  };
  static std::size_t octave_of(std::size_t top) {
    return top == 0 ? Bins::kOctaves : (top - 1) / Bins::kPerOctave;
  }
  void change(std::size_t octave, Timeline timeline, bool member) {
    auto& set = sets_[octave];
    const auto word = timeline / 64;
    const auto bit = std::uint64_t{1} << (timeline % 64);
    if (word >= set.words.size()) set.words.resize(word + std::size_t{1});
    set.words[word] ^= bit;
    member ? ++set.size : --set.size;
  }

  std::vector<std::uint16_t> tops_;
  std::array<Set, Bins::kOctaves> sets_;
  Timeline from_ = 0;
  Timeline next_ = 0;
};

}  // namespace gmlake::memory
