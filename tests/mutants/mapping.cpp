// Virtual memory management: what is mapped where, and who may use it.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

void unmapped_under_work(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window window(physical);
  device.write(window, a, kChunk);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  window.unmap();
}

// Waits, but for another stream.
void unmapped_under_other_work(Twin twin) {
  Device device;
  Stream a, b;
  Physical physical;
  Window window(physical);
  device.write(window, a, kChunk / 2);
  device.write(window + kChunk / 2, b, kChunk / 2);
  check(cuStreamSynchronize(a));
  if (twin == Twin::correct) check(cuStreamSynchronize(b));
  window.unmap();
}

void access_taken_under_work(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window window(physical);
  device.write(window, a, kChunk);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  set_access(window, kChunk, CU_MEM_ACCESS_FLAGS_PROT_NONE);
}

void writing_taken_under_work(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window window(physical);
  device.write(window, a, kChunk);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  set_access(window, kChunk, CU_MEM_ACCESS_FLAGS_PROT_READ);
}

// The bytes now belong to whoever uses the second window.
void stale_alias(Twin twin) {
  Device device;
  Stream a, b;
  Event done;
  Physical physical;
  Window first(physical), second(physical);
  device.write(first, a, kChunk);
  check(cuEventRecord(done, a));
  if (twin == Twin::correct) check(cuStreamWaitEvent(b, done, 0));
  device.write(second, b, kChunk);
}

void two_addresses_in_one_copy(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window first(physical), second(physical);
  const std::size_t half = kChunk / 2;
  check(cuMemcpyDtoDAsync(first, second + half - (twin == Twin::wrong ? 256 : 0), half, a));
}

void two_addresses_in_one_kernel(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window first(physical), second(physical);
  device.transform(first, twin == Twin::wrong ? second : first, a, kChunk);
}

void access_never_set(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window window;
  window.map(0, physical);
  if (twin == Twin::correct) set_access(window, kChunk, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  device.write(window, a, kChunk);
}

void written_with_read_access(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window window(physical);
  set_access(window, kChunk, CU_MEM_ACCESS_FLAGS_PROT_READ);
  if (twin == Twin::wrong) device.write(window, a, kChunk);
  if (twin == Twin::correct) device.read(window, a, kChunk);
}

void past_what_is_mapped(Twin twin) {
  Device device;
  Stream a;
  Physical one, two;
  Window window(2);
  window.map(0, one);
  if (twin == Twin::correct) window.map(1, two);
  set_access(window, twin == Twin::correct ? 2 * kChunk : kChunk,
             CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  device.write(window, a, 2 * kChunk);
}

void used_after_unmap(Twin twin) {
  Device device;
  Stream a;
  Physical physical;
  Window window(physical);
  if (twin == Twin::wrong) window.unmap();
  device.write(window, a, kChunk);
  check(cuStreamSynchronize(a));
}

void double_release(Twin twin) {
  Device device;
  Physical physical;
  const CUmemGenericAllocationHandle handle = physical;
  physical.destroy();
  if (twin == Twin::wrong) (void)cuMemRelease(handle);
}

void mapped_after_release(Twin twin) {
  Device device;
  Physical physical;
  const CUmemGenericAllocationHandle handle = physical;
  if (twin == Twin::wrong) physical.destroy();
  Window window;
  window.map(0, handle);
}

void double_unmap(Twin twin) {
  Device device;
  Physical physical;
  Window window(physical);
  window.unmap();
  if (twin == Twin::wrong) (void)cuMemUnmap(window, kChunk);
}

void unmapped_in_part(Twin twin) {
  Device device;
  Physical physical;
  Window window(physical);
  if (twin == Twin::wrong) (void)cuMemUnmap(window, kChunk / 2);
}

void freed_with_mappings(Twin twin) {
  Device device;
  Physical physical;
  Window window(physical);
  if (twin == Twin::wrong) (void)cuMemAddressFree(window, window.size());
}

void access_to_a_hole(Twin twin) {
  Device device;
  Physical one, two;
  Window window(2);
  window.map(0, one);
  if (twin == Twin::correct) window.map(1, two);
  set_access(window, 2 * kChunk, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
}

}  // namespace

Pairs mapping_pairs() {
  constexpr const char* kRace = "[order] no order between ";
  constexpr const char* kKernel = "[memory] cuLaunchKernel";
  return {
      {"mapping.unmapped_under_work", "cuMemUnmap with work pending", "[order] cuMemUnmap",
       unmapped_under_work},
      {"mapping.unmapped_under_other_work", "the same, where one of two users was waited for",
       "[order] cuMemUnmap", unmapped_under_other_work},
      {"mapping.access_taken_under_work", "all access is taken away with work pending",
       "takes all access away", access_taken_under_work},
      {"mapping.writing_taken_under_work", "write access is taken away with a writer pending",
       "takes write access away", writing_taken_under_work},
      {"mapping.stale_alias", "the old window of bytes that have a new owner is still in use",
       kRace, stale_alias},
      {"mapping.two_addresses_in_one_copy", "a copy uses the same bytes at two addresses",
       "[order] cuMemcpyDtoDAsync_v2", two_addresses_in_one_copy},
      {"mapping.two_addresses_in_one_kernel", "a kernel does", "uses the same bytes",
       two_addresses_in_one_kernel},
      {"mapping.access_never_set", "cuMemSetAccess is missing", kKernel, access_never_set},
      {"mapping.written_with_read_access", "a kernel writes what it may only read", kKernel,
       written_with_read_access},
      {"mapping.past_what_is_mapped", "of a window only the first half is mapped", kKernel,
       past_what_is_mapped},
      {"mapping.used_after_unmap", "a kernel on an unmapped window", kKernel, used_after_unmap},
      {"mapping.double_release", "cuMemRelease twice", "[handles] cuMemRelease", double_release},
      {"mapping.mapped_after_release", "a released handle is mapped", "[handles] cuMemMap",
       mapped_after_release},
      {"mapping.double_unmap", "cuMemUnmap twice", "[handles] cuMemUnmap", double_unmap},
      {"mapping.unmapped_in_part", "half a mapping is unmapped", "[handles] cuMemUnmap",
       unmapped_in_part},
      {"mapping.freed_with_mappings", "addresses are freed with a mapping in them",
       "[handles] cuMemAddressFree", freed_with_mappings},
      {"mapping.access_to_a_hole", "access is set where not all is mapped",
       "[handles] cuMemSetAccess", access_to_a_hole},
  };
}

}  // namespace gmlake::mutants
