// What the pool needs of a CUDA device, in neutral types: the seam to the driver, handed in from
// above.
//
// driver/cuda_device.h implements it over real driver functions; unit tests implement it in memory.
// All calls are made without the pool's books' lock and may come from any thread; only the
// waits wait for the GPU, and they are made without any lock. Addresses and sizes given to the
// memory calls are multiples of the device's granularity. A failing call changes nothing, and
// returns the kind of its failure with the driver's own error number.
#pragma once

#include <cstdint>

#include "stats/records.h"
#include "support/result.h"
#include "support/units.h"

namespace gmlake::driver {

using Address = std::uint64_t;  // CUdeviceptr
using Handle = std::uint64_t;   // CUmemGenericAllocationHandle: one chunk of physical memory
using Context = void*;          // CUcontext
using Stream = void*;           // CUstream, as the program passed it
using Event = void*;            // CUevent

// A handle and how much it is.
struct Physical {
  Bytes size = 0;
  Handle handle = 0;
};

struct MemoryInfo {
  Bytes free = 0;
  Bytes total = 0;
};

// What a miss is planned by that depends on the moment: what the driver takes for a handle, and
// whether memory may be put together now.
struct Pace {
  std::uint64_t map_ns = 0, create_ns = 0;
  bool may_stitch = true;
};

class Device {
 public:
  virtual ~Device() = default;

  // Virtual memory (CUDA programming guide, "Virtual Memory Management"). One set_access may cover
  // any number of mapped handles; an unmap covers whole mappings.
  virtual Result<Address> reserve(Bytes size) = 0;
  virtual Status free_reservation(Address at, Bytes size) = 0;
  virtual Result<Handle> create(Bytes size) = 0;
  virtual Status release(Handle handle) = 0;
  virtual Status map(Address at, Bytes size, Handle handle) = 0;
  virtual Status unmap(Address at, Bytes size) = 0;
  virtual Status set_access(Address at, Bytes size) = 0;
  // The same for another device, or its end. Kind unsupported: the devices are no peers.
  virtual Status set_peer_access(Address, Bytes, int /*device*/, bool /*may*/) {
    return fail(ErrorKind::unsupported, "access by other devices");
  }
  virtual Result<MemoryInfo> memory_info() = 0;  // of this device, whichever is current

  // Order. An event belongs to the context it was made in. `record_event` follows all work given to
  // the stream so far, `record_context` all given to the context; kind `captured`: not while it, or
  // what would have to be followed, is being captured. `query` is true once the event has fired.
  virtual Result<Event> create_event(Context context) = 0;
  virtual Status destroy_event(Event event) = 0;
  virtual Status record_event(Event event, Context context, Stream stream) = 0;
  // `may_order`: the program's streams may come to wait for one another by it, as by a cudaFree,
  // where there is no other way.
  virtual Status record_context(Event event, Context context, bool may_order) = 0;
  virtual Result<bool> query(Event event) = 0;
  virtual Status make_wait(Stream stream, Context context, Event event) = 0;  // its later work
  virtual Status wait(Event event) = 0;  // blocks the calling thread
  // Blocks until all work of the context is done: for devices whose record_context is unsupported.
  virtual Status wait_context(Context context) = 0;

  // Whether the context has never had a stream besides its legacy default one, as far as is seen.
  // Called with no lock.
  virtual bool only_legacy_stream(Context) const { return false; }
  // Whether the pool is told before a stream is given work (DevicePool::before_work).
  virtual bool sees_work() const { return true; }
  // Whether a context's event may be recorded in any call, as captures are seen or said not to be
  // there. Else it is recorded only by a miss, and late events have to do for waits.
  virtual bool records_in_frees() const { return true; }
  // Whether some stream is being captured, as far as is seen.
  virtual bool captures() const { return false; }

  // How often each driver function was called so far, for how long, and how often it failed.
  // From now on that is counted there, which outlives the device. Before it is used by others.
  using Tallies = std::array<stats::DriverTally, stats::kDriverCalls>;
  virtual void count_in(Tallies& where) { (void)where; }
  virtual void count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const = 0;
  // Before each miss is planned: `measured` is what it will go by, unless another pace is put
  // there.
  virtual void pace(Pace& measured) { (void)measured; }
  // Where an event has been asked in vain and it is, or is not, time to look there again: whether
  // another follows later frees there, and whether events are asked; then, for each of those,
  // whether it is. As it would be, unless that is known better.
  virtual bool follows(Event before, bool would) {
    (void)before;
    return would;
  }
  virtual bool looks(Event front, bool would) {
    (void)front;
    return would;
  }
  virtual bool asks(Event event, bool would) {
    (void)event;
    return would;
  }
};

}  // namespace gmlake::driver
