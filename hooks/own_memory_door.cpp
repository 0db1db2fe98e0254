// The program's own physical memory and mappings: every call goes to the driver, and is counted.
// Nothing of it is the pool's; but for the limits, and for what is free in the pool going back
// first where there is too little (pressure.cpp).
#include "hooks/own_memory.h"
#include "hooks/serve.h"

namespace gmlake::hooks {
namespace {

bool counted() {
  const auto& process = Process::get();
  return process.driver_door() && process.serving();
}

}  // namespace

CUresult mem_create(CUmemGenericAllocationHandle* handle, std::size_t bytes,
                    const CUmemAllocationProp* properties, unsigned long long flags) {
  GMLAKE_REAL(mem_create);
  const auto native = [&] {
    return with_room(*real, [&] { return real->mem_create(handle, bytes, properties, flags); });
  };
  if (!counted() || !real->complete || !handle || bytes == 0 || !properties ||
      properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
    return native();
  auto* pool = Process::get().pool(properties->location.id, real->table);
  if (!pool) return native();
  OwnMemory::Share share;
  const bool asked = guarded(
      [&] { share = Taken::claim(*pool, &stats::DeviceCounters::own_handle_bytes, bytes); });
  if (asked && !share) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult result = native();
  if (result == CUDA_SUCCESS && share)
    (void)guarded([&] {
      share->note();
      own_memory().add_handle(*handle, std::move(share));
    });
  return result;
}

CUresult mem_release(CUmemGenericAllocationHandle handle) {
  GMLAKE_REAL(mem_release);
  if (!counted()) return real->mem_release(handle);
  auto share = own_memory().remove_handle(handle);
  const CUresult result = real->mem_release(handle);
  if (result != CUDA_SUCCESS && share)
    (void)guarded([&] { own_memory().add_handle(handle, std::move(share)); });
  return result;
}

CUresult mem_map(CUdeviceptr at, std::size_t size, std::size_t offset,
                 CUmemGenericAllocationHandle handle, unsigned long long flags) {
  GMLAKE_REAL(mem_map);
  const CUresult result = real->mem_map(at, size, offset, handle, flags);
  if (result == CUDA_SUCCESS && counted())
    (void)guarded([&] { own_memory().map(at, size, handle); });
  return result;
}

CUresult mem_unmap(CUdeviceptr at, std::size_t size) {
  GMLAKE_REAL(mem_unmap);
  if (!counted()) return real->mem_unmap(at, size);
  OwnMemory::Unmapped mappings;
  (void)guarded([&] { mappings = own_memory().unmap(at, size); });
  const CUresult result = real->mem_unmap(at, size);
  if (result != CUDA_SUCCESS) (void)guarded([&] { own_memory().map_again(mappings); });
  return result;
}

void own_handle_retained(CUdeviceptr at, CUmemGenericAllocationHandle handle) {
  if (counted()) (void)guarded([&] { own_memory().retain(at, handle); });
}

}  // namespace gmlake::hooks
