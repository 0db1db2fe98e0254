#include "page_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <fstream>

namespace gmlake::simcuda {
namespace {

// Kept free for the program's libraries, heaps and threads; and for unmapping, which must work when
// mapping no longer does.
constexpr std::size_t kForProgram = 4096;
constexpr std::size_t kForUnmap = 4096;
constexpr std::size_t kUsualLimit = 65530;

void* pointer(Address at) {
  return reinterpret_cast<void*>(at);
}

}  // namespace

void PageTable::open(bool backed) {
  backed_ = backed;
  std::size_t limit = 0;
  std::ifstream file("/proc/sys/vm/max_map_count");
  if (!(file >> limit)) limit = kUsualLimit;
  limit_ = std::max(limit, 2 * kForProgram) - kForProgram;
}

bool PageTable::continues(Pieces::const_iterator left, Pieces::const_iterator right) {
  const Piece& a = left->second;
  const Piece& b = right->second;
  return left->first + a.size == right->first && a.fd == b.fd && a.offset + a.size == b.offset &&
         a.protection == b.protection;
}

// Places in [begin, end], its ends included, where kernel mappings meet.
std::size_t PageTable::boundaries_in(Address begin, Address end) const {
  std::size_t count = 0;
  auto right = pieces_.lower_bound(begin);
  auto left = right == pieces_.begin() ? pieces_.end() : std::prev(right);
  if (left != pieces_.end() && left->first + left->second.size < begin) left = pieces_.end();
  for (; right != pieces_.end() && right->first <= end; left = right++) {
    if (left == pieces_.end())
      ++count;
    else if (left->first + left->second.size < right->first)
      count += 2;
    else if (!continues(left, right))
      ++count;
  }
  if (left != pieces_.end() && left->first + left->second.size <= end) ++count;
  return count;
}

bool PageTable::map(Address at, int fd, const Extents& extents, int protection) {
  if (!backed_) return true;
  if (!room(extents.size() + 1, kForUnmap)) return false;
  Bytes size = 0;
  for (const Extent& extent : extents) size += extent.size;
  const std::size_t before = boundaries_in(at, at + size);
  Address next = at;
  for (const Extent& extent : extents) {
    if (mmap(pointer(next), extent.size, protection, MAP_SHARED | MAP_FIXED, fd,
             static_cast<off_t>(extent.offset)) == MAP_FAILED) {
      mmap(pointer(at), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
           -1, 0);
      pieces_.erase(pieces_.lower_bound(at), pieces_.lower_bound(next));
      return false;
    }
    pieces_.emplace(next, Piece{extent.size, fd, extent.offset, protection});
    next += extent.size;
  }
  boundaries_ += boundaries_in(at, at + size) - before;
  return true;
}

bool PageTable::protect(Address at, Bytes size, int protection) {
  if (!backed_) return true;
  const auto first = pieces_.lower_bound(at);
  const auto last = pieces_.lower_bound(at + size);
  if (!room(2, kForUnmap)) return false;
  if (mprotect(pointer(at), size, protection) != 0) return false;
  const std::size_t before = boundaries_in(at, at + size);
  for (auto piece = first; piece != last; ++piece) piece->second.protection = protection;
  boundaries_ += boundaries_in(at, at + size) - before;
  return true;
}

bool PageTable::unmap(Address at, Bytes size) {
  if (!backed_) return true;
  if (!room(2, 0)) return false;
  if (mmap(pointer(at), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
           -1, 0) == MAP_FAILED)
    return false;
  const std::size_t before = boundaries_in(at, at + size);
  pieces_.erase(pieces_.lower_bound(at), pieces_.lower_bound(at + size));
  boundaries_ += boundaries_in(at, at + size) - before;
  return true;
}

}  // namespace gmlake::simcuda
