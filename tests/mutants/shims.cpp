// The shims between a correct client and the driver.
#include "shim.h"

namespace gmlake::mutants {
namespace {

constexpr std::size_t kOdd = kSize - 100;
constexpr std::size_t kLarge = kChunk + kSize;  // two chunks

template <ShimPtr (*Make)(Twin)>
void behind(Twin twin) {
  const Device device;
  const ShimPtr shim = Make(twin);
  use(device, *shim);
}

}  // namespace

void use(const Device& device, Shim& shim) {
  Stream a, b;
  const auto once = [&](std::size_t size, CUstream stream) {
    const CUdeviceptr at = shim.allocate(size, stream);
    device.write(at, stream, size);
    shim.free(at, stream);
  };
  const auto order = [](CUstream earlier, CUstream later) {
    Event edge;
    check(cuEventRecord(edge, earlier));
    check(cuStreamWaitEvent(later, edge, 0));
  };

  // In one stream, and in another.
  for (const std::size_t size : {kOdd, kLarge}) {
    once(size, a);
    once(size, b);
  }
  // In two streams, and freed in the second.
  const CUdeviceptr moved = shim.allocate(kOdd, a);
  device.write(moved, a, kOdd);
  order(a, b);
  device.write(moved, b, kOdd);
  shim.free(moved, b);
  once(kOdd, a);
  // Both streams at a time.
  const CUdeviceptr one = shim.allocate(kOdd, a);
  const CUdeviceptr other = shim.allocate(kOdd, b);
  device.write(one, a, kOdd);
  device.write(other, b, kOdd);
  shim.free(one, a);
  shim.free(other, b);
  once(kOdd, b);
  // A stream that goes, and one that comes and may have its handle.
  for (int i = 0; i < 2; ++i) {
    const Stream passing;
    once(kOdd, passing);
  }
  check(cuCtxSynchronize());
}

Pairs shim_pairs() {
  constexpr const char* kRace = "[order] no order between cuLaunchKernel";
  return {
      {"shims.across_streams", "a freed block serves another stream at once", kRace,
       behind<across_streams>},
      {"shims.keyed_by_handle", "freed blocks are kept by the stream's handle, not its id", kRace,
       behind<keyed_by_handle>},
      {"shims.asks_before_recording", "the event is queried and then recorded", kRace,
       behind<asks_before_recording>},
      {"shims.records_on_the_wrong_stream",
       "the event is recorded on the allocation's stream, not the free's", kRace,
       behind<records_on_the_wrong_stream>},
      {"shims.one_event_for_all", "all blocks share one event", kRace, behind<one_event_for_all>},
      {"shims.frees_at_once", "cuMemFree in place of cuMemFreeAsync", "[order] cuMemFree_v2",
       behind<frees_at_once>},
      {"shims.overlapping_blocks", "sizes in a slab are rounded down", kRace,
       behind<overlapping_blocks>},
      {"shims.unmaps_too_early", "a window is unmapped before its last use is complete",
       "[order] cuMemUnmap", behind<unmaps_too_early>},
      {"shims.stitches_busy_chunks", "a window is made of chunks another stream still uses", kRace,
       behind<stitches_busy_chunks>},
      {"shims.forgets_the_last_access", "access to a window's last chunk is not set",
       "[memory] cuLaunchKernel", behind<forgets_the_last_access>},
  };
}

}  // namespace gmlake::mutants
