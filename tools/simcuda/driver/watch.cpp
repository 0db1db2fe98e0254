#include "watch.h"

#include "../simcuda.h"
#include "entry.h"
#include "places.h"

namespace gmlake::simcuda::watch {

void memory_begins(Address at, Bytes size) {
  if (!order::enabled()) return;
  Pieces pieces;
  find_places(at, size, pieces);
  const SchedulerLock lock = lock_scheduler();
  order::begins(pieces);
}

void memory_begins(Address at, Bytes size, const StreamRef& stream) {
  if (!order::enabled()) return;
  Pieces pieces;
  find_places(at, size, pieces);
  const SchedulerLock lock = lock_scheduler();
  order::begins_in(*stream, pieces);
}

void memory_begins(const Extents& extents, unsigned space) {
  if (!order::enabled()) return;
  const Pieces pieces = places_of(extents, space);
  const SchedulerLock lock = lock_scheduler();
  order::begins(pieces);
}

void memory_ends(const std::vector<Address>& owners, const char* how, order::Taken taken) {
  if (!order::enabled()) return;
  const SchedulerLock lock = lock_scheduler();
  for (const Address owner : owners) order::ends(owner, how, taken);
}

void memory_ends(Address owner, const char* how, const StreamRef& stream) {
  if (!order::enabled()) return;
  const SchedulerLock lock = lock_scheduler();
  order::ends_in(*stream, owner, how);
}

void host_touches(Address at, Bytes size, bool write) {
  if (!order::enabled() || size == 0) return;
  order::Placed placed{{at, size, write}, {}};
  find_places(at, size, placed.pieces);
  const SchedulerLock lock = lock_scheduler();
  order::host_touches(placed);
}

}  // namespace gmlake::simcuda::watch

using namespace gmlake::simcuda;

void simcuda_host_access(const void* at, size_t size, int write) {
  if (!memory_is_open()) return;
  no_call();
  watch::host_touches(reinterpret_cast<Address>(at), size, write != 0);
}
