// What may be mapped, given access, unmapped and released, and in which portions.
#include "block.h"
#include "probe.h"

namespace gpu {
namespace {

constexpr unsigned kPattern = 0x5eed1234;

// Whether all words of the range hold the pattern after it has been written through memset.
std::string usable(CUdeviceptr at, std::size_t bytes) {
  if (const CUresult code = driver().cuMemsetD32_v2_(at, kPattern, bytes / 4); code != CUDA_SUCCESS)
    return "memset: " + name(code);
  std::vector<unsigned> host(bytes / 4);
  if (const CUresult code = driver().cuMemcpyDtoH_v2_(host.data(), at, bytes); code != CUDA_SUCCESS)
    return "copy: " + name(code);
  for (unsigned word : host)
    if (word != kPattern) return "wrong bytes";
  return "bytes verified";
}

void set_access_many() {
  Handles handles(16, kChunk);
  Range range(16 * kChunk);
  range.map_all(handles);
  const CUresult code = set_access(range.at(), range.bytes());
  answer("set_access_many", code, "one call over 16 handles; " + usable(range.at(), range.bytes()));
}

void set_access_two_reservations() {
  Handles handles(2, kChunk);
  Range whole(2 * kChunk);
  const CUdeviceptr at = whole.at();
  { Range gone(std::move(whole)); }
  Range first(kChunk, at);
  Range second(kChunk, first.at() + kChunk);
  if (second.at() != first.at() + kChunk) {
    answer("set_access_two_reservations", "not_adjacent",
           hex(first.at()) + " and " + hex(second.at()));
    return;
  }
  first.map(0, kChunk, handles.list()[0]);
  second.map(0, kChunk, handles.list()[1]);
  const CUresult code = set_access(first.at(), 2 * kChunk);
  answer("set_access_two_reservations", code,
         code == CUDA_SUCCESS ? usable(first.at(), 2 * kChunk) : "");
  first.forget_mappings();
  const CUresult unmap = driver().cuMemUnmap_(first.at(), 2 * kChunk);
  answer("unmap_two_reservations", unmap);
  if (unmap == CUDA_SUCCESS) {
    second.forget_mappings();
  } else {
    (void)driver().cuMemUnmap_(first.at(), kChunk);
  }
}

void set_access_part() {
  Handles handle(1, 2 * kChunk);
  Range range(4 * kChunk);
  range.map(0, 2 * kChunk, handle.list()[0]);
  answer("set_access_part_of_handle", set_access(range.at(), kChunk), "2 MiB of a 4 MiB handle");
  answer("set_access_with_hole", set_access(range.at(), range.bytes()), "half of it mapped");
  answer("set_access_again", set_access(range.at(), 2 * kChunk), "access it has already");
  answer("set_access_unmapped", set_access(range.at() + 2 * kChunk, kChunk));
}

void unmap_portions() {
  Handles handles(16, 2 * kChunk);
  Range range(16 * 2 * kChunk);
  range.map_all(handles);
  check(set_access(range.at(), range.bytes()), "cuMemSetAccess");
  range.forget_mappings();
  const auto unmap = [&](std::size_t from, std::size_t count) {
    return driver().cuMemUnmap_(range.at() + from * kChunk, count * kChunk);
  };
  answer("unmap_part_of_handle", unmap(0, 1), "2 MiB of a 4 MiB handle");
  answer("unmap_one_and_a_half", unmap(0, 3));
  answer("unmap_middle_only", unmap(1, 2), "ends of two neighbouring handles");
  answer("unmap_one_of_many", unmap(0, 2));
  answer("unmap_with_hole", unmap(0, 4), "the first half is unmapped already");
  answer("unmap_unmapped", unmap(0, 2));
  answer("unmap_many", unmap(4, 28), "one call over 14 handles");
  (void)unmap(2, 2);
}

void map_wrongly() {
  Handles handles(2, 2 * kChunk);
  const auto handle = handles.list()[0];
  Range range(8 * kChunk);
  const auto map = [&](std::size_t at, std::size_t bytes, std::size_t offset) {
    return driver().cuMemMap_(range.at() + at, bytes, offset, handle, 0);
  };
  answer("map_with_offset", map(0, kChunk, kChunk), "second half of a 4 MiB handle");
  (void)driver().cuMemUnmap_(range.at(), kChunk);
  answer("map_part_of_handle", map(0, kChunk, 0), "first half of a 4 MiB handle");
  (void)driver().cuMemUnmap_(range.at(), kChunk);
  answer("map_unaligned", map(4096, 2 * kChunk, 0));
  answer("map_larger_than_handle", map(0, 4 * kChunk, 0));
  range.map(0, 2 * kChunk, handle);
  answer("map_over_mapping", map(0, 2 * kChunk, 0));
  answer("map_beyond_reservation", map(7 * kChunk, 2 * kChunk, 0));
  // Where a driver lets it pass, the next reservation must not find it.
  (void)driver().cuMemUnmap_(range.at() + 7 * kChunk, 2 * kChunk);
}

void alias() {
  Block block(4);
  Range window = block.window();
  (void)driver().cuMemsetD32_v2_(block.at(), 0, block.bytes() / 4);
  (void)driver().cuMemsetD32_v2_(window.at() + kChunk, kPattern, kChunk / 4);
  std::vector<unsigned> host(block.bytes() / 4);
  GPU(cuMemcpyDtoH_v2_(host.data(), block.at(), block.bytes()));
  const bool right = host[kChunk / 4] == kPattern && host[2 * kChunk / 4 - 1] == kPattern &&
                     host[kChunk / 4 - 1] == 0 && host[2 * kChunk / 4] == 0;
  answer("map_twice", right ? "yes" : "wrong_bytes", "written through one address, read the other");
}

void release_while_mapped() {
  Range range(kChunk);
  {
    Handles handle(1, kChunk);
    range.map_all(handle);
  }
  check(set_access(range.at(), kChunk), "cuMemSetAccess");
  answer("release_while_mapped", "yes", "handle released, then " + usable(range.at(), kChunk));
}

void free_wrongly() {
  open_device();
  const auto& cuda = driver();
  CUdeviceptr at = 0;
  GPU(cuMemAlloc_v2_(&at, kChunk));
  answer("free_inner_address", cuda.cuMemFree_v2_(at + 512));
  answer("free", cuda.cuMemFree_v2_(at));
  answer("free_twice", cuda.cuMemFree_v2_(at));
  answer("free_async_of_freed", cuda.cuMemFreeAsync_(at, nullptr));
  answer("free_of_nothing", cuda.cuMemFree_v2_(0x1234000));
  GPU(cuMemAlloc_v2_(&at, kChunk));
  answer("free_async_of_plain", cuda.cuMemFreeAsync_(at, nullptr));
  if (cuda.cuMemAllocAsync_(&at, kChunk, nullptr) == CUDA_SUCCESS) {
    answer("free_plain_of_async", cuda.cuMemFree_v2_(at));
    answer("free_async_twice", cuda.cuMemFreeAsync_(at, nullptr));
  }
  Block block(2);
  answer("free_of_mapped_address", cuda.cuMemFree_v2_(block.at()));
  answer("free_async_of_mapped_address", cuda.cuMemFreeAsync_(block.at(), nullptr));
  answer("address_free_while_mapped", cuda.cuMemAddressFree_(block.at(), block.bytes()));
  CUmemGenericAllocationHandle handle = 0;
  check(create(&handle, kChunk), "cuMemCreate");
  GPU(cuMemRelease_(handle));
  answer("release_twice", cuda.cuMemRelease_(handle));
  GPU(cuMemAddressReserve_(&at, 4 * kChunk, 0, 0, 0));
  answer("address_free_part", cuda.cuMemAddressFree_(at, kChunk));
  answer("address_free", cuda.cuMemAddressFree_(at, 4 * kChunk));
}

// Without a current context: a pool may be asked for memory on a thread that has none.
void map_without_context() {
  GPU(cuInit_(0));
  CUmemGenericAllocationHandle handle = 0;
  CUdeviceptr at = 0;
  const CUresult created = create(&handle, kChunk);
  answer("create_without_context", created);
  const CUresult reserved = driver().cuMemAddressReserve_(&at, kChunk, 0, 0, 0);
  answer("reserve_without_context", reserved);
  if (created != CUDA_SUCCESS || reserved != CUDA_SUCCESS) return;
  answer("map_without_context", driver().cuMemMap_(at, kChunk, 0, handle, 0));
  answer("set_access_without_context", set_access(at, kChunk));
  open_device();
  answer("made_without_context", "used", "with a context afterwards: " + usable(at, kChunk));
}

void no_access_copy() {
  open_device();
  Handles handle(1, kChunk);
  Range range(kChunk);
  range.map_all(handle);
  unsigned word = 0;
  answer("copy_without_access", driver().cuMemcpyDtoH_v2_(&word, range.at(), sizeof word),
         "then cuCtxSynchronize: " + name(driver().cuCtxSynchronize_()));
  answer("copy_from_hole", driver().cuMemcpyDtoH_v2_(&word, range.at() + kChunk, sizeof word));
}

}  // namespace

std::vector<Probe> mapping_probes() {
  return {{"set_access_many", set_access_many},
          {"set_access_two_reservations", set_access_two_reservations},
          {"set_access_part", set_access_part},
          {"unmap_portions", unmap_portions},
          {"map_wrongly", map_wrongly},
          {"alias", alias},
          {"release_while_mapped", release_while_mapped},
          {"free_wrongly", free_wrongly, true},
          {"without_context", map_without_context, true},
          {"no_access_copy", no_access_copy, true}};
}

}  // namespace gpu
