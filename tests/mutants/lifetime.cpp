// Memory of cuMemAlloc and cuMemAllocAsync: used before it begins or after it ends, freed wrongly.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

void order_by_edge(CUstream earlier, CUstream later) {
  Event edge;
  check(cuEventRecord(edge, earlier));
  check(cuStreamWaitEvent(later, edge, 0));
}

CUdeviceptr allocate(CUstream stream) {
  CUdeviceptr at = 0;
  check(cuMemAllocAsync(&at, kSize, stream));
  return at;
}

void used_before_it_begins(Twin twin) {
  Device device;
  Stream a, b;
  const CUdeviceptr at = allocate(a);
  if (twin == Twin::correct) order_by_edge(a, b);
  device.write(at, b);
  check(cuMemFreeAsync(at, b));
}

void freed_before_it_begins(Twin twin) {
  Device device;
  Stream a, b;
  const CUdeviceptr at = allocate(a);
  if (twin == Twin::correct) order_by_edge(a, b);
  check(cuMemFreeAsync(at, b));
}

// Not even an error: the copy is refused, and its program does not look.
void copied_after_free(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer, other;
  const CUdeviceptr at = buffer;
  if (twin == Twin::wrong) buffer.destroy();
  (void)cuMemcpyDtoDAsync(other, at, kSize, a);
}

void freed_under_work(Twin twin) {
  Device device;
  Stream a, b;
  const CUdeviceptr at = allocate(a);
  order_by_edge(a, b);
  device.write(at, b);
  if (twin == Twin::correct) order_by_edge(b, a);
  check(cuMemFreeAsync(at, a));
}

// cuMemFree does not wait for stream-ordered memory.
void freed_at_once_under_work(Twin twin) {
  Device device;
  Stream a;
  const CUdeviceptr at = allocate(a);
  device.write(at, a);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  check(cuMemFree(at));
}

void used_after_free_async(Twin twin) {
  Device device;
  Stream a;
  const CUdeviceptr at = allocate(a);
  if (twin == Twin::correct) device.write(at, a);
  check(cuMemFreeAsync(at, a));
  if (twin == Twin::wrong) device.write(at, a);
}

void used_after_free(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  const CUdeviceptr at = buffer;
  if (twin == Twin::wrong) buffer.destroy();
  device.write(at, a);
}

void past_the_end(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  device.write(buffer, a, twin == Twin::wrong ? kSize + 1 : kSize);
}

void past_the_end_in_the_page(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer(100);
  device.write(buffer, a, twin == Twin::wrong ? 101 : 100);
}

void double_free(Twin twin) {
  Device device;
  Buffer buffer;
  const CUdeviceptr at = buffer;
  buffer.destroy();
  if (twin == Twin::wrong) (void)cuMemFree(at);
}

void double_free_async(Twin twin) {
  Device device;
  Stream a;
  const CUdeviceptr at = allocate(a);
  check(cuMemFreeAsync(at, a));
  if (twin == Twin::wrong) (void)cuMemFreeAsync(at, a);
}

void freed_in_the_middle(Twin twin) {
  Device device;
  Buffer buffer;
  const CUdeviceptr at = buffer;
  if (twin == Twin::wrong) (void)cuMemFree(at + 256);
}

void host_double_free(Twin twin) {
  Device device;
  Pinned pinned;
  void* const at = pinned;
  pinned.destroy();
  if (twin == Twin::wrong) (void)cuMemFreeHost(at);
}

}  // namespace

Pairs lifetime_pairs() {
  constexpr const char* kNotLive = "[handles] ";
  return {
      {"lifetime.used_before_it_begins", "another stream uses an async allocation without order",
       "[order] no order between cuLaunchKernel", used_before_it_begins},
      {"lifetime.freed_before_it_begins", "another stream frees an async allocation without order",
       "[order] cuMemFreeAsync", freed_before_it_begins},
      {"lifetime.copied_after_free", "a copy out of freed memory", "[handles] cuMemcpyDtoDAsync",
       copied_after_free},
      {"lifetime.freed_under_work", "cuMemFreeAsync, while another stream uses the block",
       "[order] cuMemFreeAsync", freed_under_work},
      {"lifetime.freed_at_once_under_work", "cuMemFree of an async allocation with work pending",
       "[order] cuMemFree_v2", freed_at_once_under_work},
      {"lifetime.used_after_free_async", "a kernel behind the cuMemFreeAsync of its memory",
       "[memory] cuLaunchKernel", used_after_free_async},
      {"lifetime.used_after_free", "a kernel on freed memory", "[memory] cuLaunchKernel",
       used_after_free},
      {"lifetime.past_the_end", "a kernel writes one byte more than its block has",
       "[memory] cuLaunchKernel", past_the_end},
      {"lifetime.past_the_end_in_the_page", "the same, in the block's last page",
       "[memory] cuLaunchKernel", past_the_end_in_the_page},
      {"lifetime.double_free", "cuMemFree twice", kNotLive, double_free},
      {"lifetime.double_free_async", "cuMemFreeAsync twice", kNotLive, double_free_async},
      {"lifetime.freed_in_the_middle", "cuMemFree of an address inside a block", kNotLive,
       freed_in_the_middle},
      {"lifetime.host_double_free", "cuMemFreeHost twice", kNotLive, host_double_free},
  };
}

}  // namespace gmlake::mutants
