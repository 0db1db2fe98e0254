// A contiguous part of the home range that is lent to one timeline for a while: it gives out and
// takes back blocks there without a look at anything that others touch (pool/front.h). To everybody
// else it is one region, until it is taken back (Placement::take_back).
//
// The parts follow each other and cover it; free ones beside each other are one. Best fit, at the
// lower end. A bounded number of parts: O(parts) to take, O(log parts) to free, in a few cache
// lines. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "memory/fence.h"
#include "support/units.h"

namespace gmlake::memory {

struct Region;

class Loan {
 public:
  // What a free part is free behind: what all of the loan was when it was lent, where it has not
  // been used since; the timeline's value; or its next one, which is not known yet (stamp).
  static constexpr std::uint64_t kAsLent = 0;
  static constexpr std::uint64_t kNext = ~std::uint64_t{0};

  struct Part {
    Bytes start, size;
    Bytes asked;  // of a block: what the program wanted; 0: it is free
    std::uint64_t behind;
  };
  static constexpr std::size_t kMostParts = 64;

  // Of nothing yet; takes all the host memory that it will need. Throws std::bad_alloc.
  Loan() { parts_.reserve(kMostParts); }
  // Lent as `region`, free behind `fence`.
  void begin(Region* region, Bytes start, Bytes size, Fence fence) {
    region_ = region;
    start_ = start;
    size_ = free_ = size;
    fence_ = fence;
    parts_.push_back({start, size, 0, kAsLent});
  }

  Region* region() const { return region_; }
  bool contains(Bytes at) const { return at - start_ < size_; }
  Bytes free_bytes() const { return free_; }
  const std::vector<Part>& parts() const { return parts_; }
  std::size_t served() const { return served_; }

  // Where the block begins; nothing: it has no room here. `size` is `asked`, rounded.
  std::optional<Bytes> take(Bytes size, Bytes asked) {
    if (size > free_ || parts_.size() == kMostParts) return {};
    auto best = parts_.end();
    for (auto part = parts_.begin(); part != parts_.end(); ++part)
      if (part->asked == 0 && part->size >= size &&
          (best == parts_.end() || part->size < best->size))
        best = part;
    if (best == parts_.end()) return {};
    const Part rest{best->start + size, best->size - size, 0, best->behind};
    *best = {best->start, size, asked, kNext};
    if (rest.size != 0) best = parts_.insert(best + 1, rest) - 1;
    free_ -= size;
    ++served_;
    return best->start;
  }

  // The one that `at` is in, which the loan contains.
  const Part& part_at(Bytes at) const {
    const auto behind =
        std::upper_bound(parts_.begin(), parts_.end(), at,
                         [](Bytes wanted, const Part& one) { return wanted < one.start; });
    return behind[-1];
  }
  Fence fence_of(const Part& part, Timeline timeline) const {
    return part.behind == kAsLent ? fence_ : Fence{timeline, part.behind};
  }

  // Frees the block that begins at `start`, and gives it as it was; nothing: there is none.
  std::optional<Part> free(Bytes start) {
    const auto part = parts_.begin() + (&part_at(start) - parts_.data());
    const Part freed = *part;
    if (freed.start != start || freed.asked == 0) return {};
    part->asked = 0;
    part->behind = kNext;
    fresh_ = true;
    free_ += part->size;
    const auto join = [&](auto lower) {
      lower->size += lower[1].size;
      lower->behind = kNext;  // the later of the two
      parts_.erase(lower + 1);
    };
    if (part + 1 != parts_.end() && part[1].asked == 0) join(part);
    if (part != parts_.begin() && part[-1].asked == 0) join(part - 1);
    return freed;
  }

  // Whether anything has become free since the last stamp; that is so behind `value`.
  bool has_fresh() const { return fresh_; }
  void stamp(std::uint64_t value) {
    for (auto& part : parts_)
      if (part.asked == 0 && part.behind == kNext) part.behind = value;
    fresh_ = false;
  }

 private:
  Region* region_ = nullptr;
  Bytes start_ = 0, size_ = 0;
  Fence fence_;
  Bytes free_ = 0;
  std::size_t served_ = 0;
  bool fresh_ = false;
  std::vector<Part> parts_;
};

}  // namespace gmlake::memory
