// What the driver says about addresses in a block of several handles, beside memory of its own.
#include "block.h"
#include "probe.h"

namespace gpu {
namespace {

// clang-format off
#define ATTRIBUTES(X)                                                                                  \
  X(CONTEXT) X(MEMORY_TYPE) X(DEVICE_POINTER) X(IS_MANAGED) X(DEVICE_ORDINAL)                          \
  X(IS_LEGACY_CUDA_IPC_CAPABLE) X(RANGE_START_ADDR) X(RANGE_SIZE) X(MAPPED) X(ALLOWED_HANDLE_TYPES)    \
  X(IS_GPU_DIRECT_RDMA_CAPABLE) X(ACCESS_FLAGS) X(MEMPOOL_HANDLE) X(MAPPING_SIZE) X(MAPPING_BASE_ADDR) \
  X(MEMORY_BLOCK_ID) X(SYNC_MEMOPS) X(BUFFER_ID)
// clang-format on

void attributes_of(const std::string& kind, CUdeviceptr at, CUdeviceptr start) {
  const auto one = [&](const char* what, CUpointer_attribute attribute) {
    unsigned long long value = 0;  // all of them are at most this large
    const CUresult code = driver().cuPointerGetAttribute_(&value, attribute, at);
    const bool address = value >= start && value - start <= (1U << 30);
    answer("attribute/" + kind + "/" + what, code,
           code != CUDA_SUCCESS ? ""
           : address            ? "start + " + std::to_string(value - start)
                                : hex(value));
  };
#define X(attribute) one(#attribute, CU_POINTER_ATTRIBUTE_##attribute);
  ATTRIBUTES(X)
#undef X
}

void range_of(const std::string& kind, CUdeviceptr at, CUdeviceptr start) {
  CUdeviceptr base = 0;
  std::size_t bytes = 0;
  const CUresult code = driver().cuMemGetAddressRange_v2_(&base, &bytes, at);
  answer("address_range/" + kind, code,
         code == CUDA_SUCCESS ? "start + " + std::to_string(static_cast<long long>(base - start)) +
                                    ", " + std::to_string(bytes) + " bytes"
                              : "");
}

void ipc_of(const std::string& kind, CUdeviceptr at) {
  CUipcMemHandle handle{};
  answer("ipc_handle/" + kind, driver().cuIpcGetMemHandle_(&handle, at));
}

void many_of(const std::string& kind, CUdeviceptr at) {
  CUdeviceptr start = 0;
  std::size_t bytes = 0;
  int capable = -1;
  CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
                                  CU_POINTER_ATTRIBUTE_RANGE_SIZE,
                                  CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE};
  void* out[] = {&start, &bytes, &capable};
  const CUresult code = driver().cuPointerGetAttributes_(3, wanted, out, at);
  answer("attributes/" + kind, code,
         "range size " + std::to_string(bytes) + ", IPC capable " + std::to_string(capable));
}

void sync_memops_of(const std::string& kind, CUdeviceptr at) {
  unsigned on = 1;
  answer("set_sync_memops/" + kind,
         driver().cuPointerSetAttribute_(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at));
}

void all_of(const std::string& kind, CUdeviceptr at, CUdeviceptr start) {
  range_of(kind, at, start);
  many_of(kind, at);
  ipc_of(kind, at);
  attributes_of(kind, at, start);
  sync_memops_of(kind, at);
}

void stitched() {
  Block block(4);
  range_of("first_piece", block.at(), block.at());
  range_of("third_piece", block.at() + 2 * kChunk + 4096, block.at());
  all_of("stitched", block.at(), block.at());
}

void large_reservation() {
  Handles handle(1, kChunk);
  Range range(std::size_t{1} << 30);
  range.map(4 * kChunk, kChunk, handle.list()[0]);
  check(set_access(range.at() + 4 * kChunk, kChunk), "cuMemSetAccess");
  all_of("in_reservation", range.at() + 4 * kChunk, range.at());
  range_of("unmapped_in_reservation", range.at(), range.at());
}

void native() {
  CUdeviceptr at = 0;
  GPU(cuMemAlloc_v2_(&at, 4 * kChunk));
  range_of("native_inner", at + kChunk + 4096, at);
  all_of("native", at, at);
  GPU(cuMemFree_v2_(at));
  range_of("native_freed", at, at);
}

void native_async() {
  CUdeviceptr at = 0;
  GPU(cuMemAllocAsync_(&at, 4 * kChunk, nullptr));
  GPU(cuCtxSynchronize_());
  range_of("async_inner", at + kChunk + 4096, at);
  all_of("async", at, at);
  GPU(cuMemFreeAsync_(at, nullptr));
}

void native_small() {
  CUdeviceptr at = 0;
  CUdeviceptr next = 0;
  GPU(cuMemAlloc_v2_(&at, 1000));
  GPU(cuMemAlloc_v2_(&next, 1000));
  answer("native_small_distance", "bytes", std::to_string(static_cast<long long>(next - at)));
  all_of("native_small", at, at);
  GPU(cuMemFree_v2_(at));
  GPU(cuMemFree_v2_(next));
}

void device_flags() {
  CUdevice device = 0;
  GPU(cuDeviceGet_(&device, 0));
  const auto one = [&](const char* what, CUdevice_attribute attribute) {
    int value = -1;
    const CUresult code = driver().cuDeviceGetAttribute_(&value, attribute, device);
    answer(std::string("device/") + what, code, std::to_string(value));
  };
#define X(attribute) one(#attribute, CU_DEVICE_ATTRIBUTE_##attribute);
  X(VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED)
  X(GPU_DIRECT_RDMA_SUPPORTED)
  X(GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED)
  X(MEM_DECOMPRESS_ALGORITHM_MASK)
  X(GENERIC_COMPRESSION_SUPPORTED)
  X(HANDLE_TYPE_FABRIC_SUPPORTED)
  X(MEMORY_POOLS_SUPPORTED)
  X(UNIFIED_ADDRESSING)
  X(CAN_FLUSH_REMOTE_WRITES)
#undef X
  const CUmemAllocationProp properties = device_memory();
  for (auto option : {CU_MEM_ALLOC_GRANULARITY_MINIMUM, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED}) {
    std::size_t bytes = 0;
    const CUresult code = driver().cuMemGetAllocationGranularity_(&bytes, &properties, option);
    answer(option == CU_MEM_ALLOC_GRANULARITY_MINIMUM ? "granularity/minimum"
                                                      : "granularity/recommended",
           code, std::to_string(bytes));
  }
}

}  // namespace

std::vector<Probe> pointer_probes() {
  return {{"device_flags", device_flags},           {"stitched", stitched},
          {"large_reservation", large_reservation}, {"native", native},
          {"native_async", native_async},           {"native_small", native_small}};
}

}  // namespace gpu
