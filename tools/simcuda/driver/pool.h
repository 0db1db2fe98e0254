// Memory pools: where stream-ordered allocation has its pages from, and where its frees leave them.
// Everything here is guarded by memory's lock, and called with it held.
#pragma once

#include <deque>
#include <vector>

#include "memory.h"

namespace gmlake::simcuda {

// Pages whose free has been given to a stream. They may be used again by work that comes after it.
struct Freed {
  std::uint64_t allocation = 0;  // its id
  std::uint64_t stream = 0;      // the freeing stream's id; 0: freed with no stream
  bool given = false;            // `point` is known
  Point point;                   // of a free with no stream: the turn of the allocation
  bool done = false;  // the free has had its turn, and no address leads to the pages any more
  Bytes size = 0;
  Extents extents;

  // Whether nothing comes of them any more. What is freed with no stream may have been allocated
  // behind work that used the same pages and is not done.
  bool complete() const { return done && (stream != 0 || passed(point, Tell::nobody)); }
};

// Pages an allocation has been granted: out of a free, or new from the device.
struct Grant {
  Freed* from = nullptr;
  Bytes size = 0;
  Extents extents;
};

struct Pool {
  CUmemoryPool value = nullptr;
  CUmemPoolProps properties{};
  bool is_default = false;
  bool destroyed = false;
  // The reuse policies: cuda.h, CUmemPool_attribute.
  bool follow_event_dependencies = true;
  bool opportunistic = true;
  bool internal_dependencies = true;
  std::uint64_t release_threshold = 0;
  Bytes reserved = 0;  // taken from the device: used, and freed but kept
  Bytes reserved_high = 0;
  Bytes used = 0;
  Bytes used_high = 0;
  unsigned char access[kMaxDevices] = {};  // CUmemAccess_flags of each device
  std::deque<Freed> freed;                 // oldest first
  // Of a pool that can be exported, or is imported: its memory, in which every allocation has pages
  // of its own and in one piece. What is freed and kept is then counted only.
  FileRef file;
  FreeSpace places;
  bool imported = false;

  CUdevice device() const { return properties.location.id; }

  // Pages for an allocation in that stream, which has to wait for the points in `after` in addition
  // to what it follows anyway. Empty if there are too few.
  std::vector<Grant> grant(Bytes size, const StreamRef& stream, std::vector<Point>& after);
  // One of these ends a grant.
  void accept();
  void refuse(std::vector<Grant>& grants);

  // The three steps of a free: its pages join the list, the place of the free in its stream is
  // known, the free has had its turn.
  void add_freed(Allocation& block, std::uint64_t stream);
  void give(std::uint64_t allocation, const Point& point);
  void finish(const Allocation& block);
  // Takes back the first of them.
  void restore(Allocation& block);

  // Gives pages back to the device until no more than `keep` are reserved, as far as frees have
  // had their turn.
  void release(Bytes keep);

 private:
  Bytes fresh() const;
  void give_to_device(Bytes keep);
  void forget_empty();
  void take_from(Freed* from, Bytes most, Bytes& missing, std::vector<Grant>& grants);
  std::deque<Freed>::iterator find(std::uint64_t allocation);
};

// The device's default pool becomes its current one. Once for each device, by open_memory.
void open_default_pool(Memory& memory, CUdevice device);
CUmemoryPool add_pool(Memory& memory, PoolRef pool);
bool open_pool_file(Pool& pool);
CUresult find_pool(CUmemoryPool handle, PoolRef& pool);

// cuda.h, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: what a stream, event or context synchronisation does.
// Takes memory's lock.
void release_unused_pages();

}  // namespace gmlake::simcuda
