// One device's physical memory: a sparse memfd whose pages are given out and taken back. Not
// thread-safe.
#pragma once

#include <vector>

#include "free_space.h"

namespace gmlake::simcuda {

inline constexpr Bytes kPage = 4 * KiB;
inline constexpr Bytes kGranularity = 2 * MiB;

struct Extent {
  std::uint64_t offset = 0;  // in the device's memfd
  Bytes size = 0;
};
using Extents = std::vector<Extent>;

class Physical {
 public:
  // Unbacked memory has no file. Without places it is only counted, and has no extents; backed
  // memory needs them. False if the memfd can not be made.
  bool open(Bytes capacity, bool backed, bool places);

  // Whole pages. Fails only if fewer than that are free; the extents may be scattered.
  bool take(Bytes size, Extents& extents);
  // Counts pages that are in a file of their own, for which the extents given back are none. There
  // must be enough.
  void count(Bytes size) { used_ += size; }
  // The content is gone, as a hole in the file.
  void give(Bytes size, const Extents& extents);

  int fd() const { return fd_; }
  Bytes capacity() const { return capacity_; }
  Bytes used() const { return used_; }

 private:
  int fd_ = -1;
  bool places_ = false;
  Bytes capacity_ = 0;
  Bytes used_ = 0;
  FreeSpace free_;
};

}  // namespace gmlake::simcuda
