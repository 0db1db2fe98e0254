#include "physical.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace gmlake::simcuda {

bool Physical::open(Bytes capacity, bool backed, bool places) {
  capacity_ = capacity;
  places_ = places;
  if (places_) free_.give(0, capacity);
  if (!backed) return true;
  fd_ = memfd_create("simcuda-device", MFD_CLOEXEC);
  if (fd_ < 0 || ftruncate(fd_, static_cast<off_t>(capacity)) != 0) return false;
  return true;
}

bool Physical::take(Bytes size, Extents& extents) {
  if (size > capacity_ - used_) return false;
  used_ += size;
  if (!places_) return true;
  if (const auto offset = free_.take(size, kPage)) {
    extents.push_back({*offset, size});
    return true;
  }
  for (Bytes missing = size; missing > 0;) {
    const auto [offset, length] = free_.take_largest(missing);
    extents.push_back({offset, length});
    missing -= length;
  }
  return true;
}

void Physical::give(Bytes size, const Extents& extents) {
  used_ -= size;
  for (const Extent& extent : extents) {
    if (fd_ >= 0)
      fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(extent.offset),
                static_cast<off_t>(extent.size));
    free_.give(extent.offset, extent.size);
  }
}

}  // namespace gmlake::simcuda
