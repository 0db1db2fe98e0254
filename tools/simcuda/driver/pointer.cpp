// What a pointer is: cuPointerGetAttribute(s), cuMemGetAddressRange.
#include <optional>

#include "entry.h"
#include "pool.h"

namespace gmlake::simcuda {
namespace {

struct Pointer {
  bool device_memory = false;
  bool managed = false;
  bool virtual_memory = false;
  CUdevice device = 0;
  Context* context = nullptr;
  Address range_begin = 0;  // the allocation, or the reservation
  Bytes range_size = 0;
  Address mapping_begin = 0;  // the allocation, or the mapping
  Bytes mapping_size = 0;
  std::uint64_t id = 0;
  CUmemoryPool pool = nullptr;
  CUmemAllocationHandleType handle_types = CU_MEM_HANDLE_TYPE_NONE;
  bool ipc_capable = false;
  unsigned sync_memops = 0;
};

std::optional<Pointer> look_up(Address at) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  Pointer p;
  if (const auto block = containing(m.allocations, at); block != m.allocations.end()) {
    if (block->second.freeing) return std::nullopt;
    p.device_memory = true;
    if (block->second.pool != nullptr) {
      p.pool = block->second.pool->value;
      p.handle_types = block->second.pool->properties.handleTypes;
    }
    p.ipc_capable = block->second.pool == nullptr;
    p.sync_memops = block->second.sync_memops;
    p.device = block->second.device;
    p.context = block->second.context;
    p.range_begin = p.mapping_begin = block->first;
    p.range_size = p.mapping_size = block->second.size;
    p.id = block->second.id;
    return p;
  }
  if (const auto mapping = containing(m.mappings, at); mapping != m.mappings.end()) {
    const auto reservation = containing(m.reservations, at);
    p.device_memory = p.virtual_memory = true;
    p.handle_types = mapping->second.handle->properties.requestedHandleTypes;
    p.device = mapping->second.handle->properties.location.id;
    p.range_begin = reservation->first;
    p.range_size = reservation->second;
    p.mapping_begin = mapping->first;
    p.mapping_size = mapping->second.size;
    p.id = mapping->second.handle->value;
    return p;
  }
  if (const auto block = containing(m.host, at); block != m.host.end()) {
    p.managed = block->second.kind == HostKind::managed;
    p.device = block->second.context->device;
    p.context = block->second.context;
    p.range_begin = p.mapping_begin = block->first;
    p.range_size = p.mapping_size = block->second.size;
    return p;
  }
  return std::nullopt;
}

template <typename T>
CUresult put(void* data, T value) {
  *static_cast<T*>(data) = value;
  return CUDA_SUCCESS;
}

// cuda.h, CU_POINTER_ATTRIBUTE_ACCESS_FLAGS: "the access flags the device associated with the
// current context has".
unsigned access_from_here(Address at, const Pointer& p) {
  Context* here = nullptr;
  if (current_context(here) != CUDA_SUCCESS) return CU_MEM_ACCESS_FLAGS_PROT_NONE;
  const std::lock_guard lock(memory().mutex);
  if (p.virtual_memory) {
    const auto mapping = containing(memory().mappings, at);
    if (mapping == memory().mappings.end()) return CU_MEM_ACCESS_FLAGS_PROT_NONE;
    return mapping->second.access[here->device];
  }
  return !p.device_memory || here->device == p.device ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE
                                                      : CU_MEM_ACCESS_FLAGS_PROT_NONE;
}

CUresult attribute(void* data, CUpointer_attribute wanted, Address at, const Pointer& p) {
  switch (wanted) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      // cuda.h: null for memory that belongs to no context.
      return put(data, reinterpret_cast<CUcontext>(p.context));
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      return put(
          data, unsigned{p.device_memory || p.managed ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST});
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
      return put(data, CUdeviceptr{at});
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
      if (p.device_memory) return CUDA_ERROR_INVALID_VALUE;
      return put(data, reinterpret_cast<void*>(at));
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
      return put(data, p.sync_memops);
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
      return put(data, static_cast<unsigned long long>(p.id));
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
      return put(data, unsigned{p.managed});
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
      return put(data, int{p.device});
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
      return put(data, int{p.ipc_capable});
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      return put(data, CUdeviceptr{p.range_begin});
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
      return put(data, size_t{p.range_size});
    case CU_POINTER_ATTRIBUTE_MAPPED:
      return put(data, 1);
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
      return put(data, static_cast<unsigned long long>(p.handle_types));
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
      return put(data, 0);  // nor is the device
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
      return put(data, access_from_here(at, p));
    case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
      return put(data, static_cast<unsigned long long>(p.id));
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
      return put(data, p.pool);
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
      return put(data, size_t{p.mapping_size});
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
      return put(data, CUdeviceptr{p.mapping_begin});
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuPointerGetAttribute(void* data, CUpointer_attribute wanted, CUdeviceptr at) {
  SIM_ENTER();
  if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto pointer = look_up(at);
  // cuda.h, cuPointerGetAttribute: INVALID_VALUE for a pointer not made, mapped or registered with
  // CUDA.
  return pointer ? attribute(data, wanted, at, *pointer) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuPointerSetAttribute(const void* value, CUpointer_attribute wanted, CUdeviceptr at) {
  SIM_ENTER();
  // cuda.h, cuPointerSetAttribute: SYNC_MEMOPS is the only one that can be set (copy.cpp).
  if (value == nullptr || wanted != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS)
    return CUDA_ERROR_INVALID_VALUE;
  const unsigned on = *static_cast<const unsigned*>(value);
  if (on > 1) return CUDA_ERROR_INVALID_VALUE;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  if (const auto block = containing(m.allocations, at);
      block != m.allocations.end() && !block->second.freeing) {
    block->second.sync_memops = on;
    return CUDA_SUCCESS;
  }
  // Virtual memory does not have it (measured on driver 580).
  if (containing(m.mappings, at) != m.mappings.end()) return CUDA_ERROR_NOT_SUPPORTED;
  return containing(m.host, at) != m.host.end() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute* wanted, void** data,
                                CUdeviceptr at) {
  SIM_ENTER();
  if (wanted == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto pointer = look_up(at);
  for (unsigned i = 0; i < count; ++i) {
    // cuda.h, cuPointerGetAttributes: unlike cuPointerGetAttribute no error for an unknown pointer;
    // the values are then null, but for the memory type of host memory which is left as it was.
    if (pointer) {
      if (const CUresult bad = attribute(data[i], wanted[i], at, *pointer)) return bad;
    } else if (wanted[i] == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) {
      put(data[i], -2);
    } else if (wanted[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE ||
               wanted[i] == CU_POINTER_ATTRIBUTE_IS_MANAGED ||
               wanted[i] == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS ||
               wanted[i] == CU_POINTER_ATTRIBUTE_MAPPED) {
      put(data[i], 0U);
    } else {
      put(data[i], std::uint64_t{0});
    }
  }
  return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* begin, size_t* size, CUdeviceptr at) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  const auto pointer = look_up(at);
  if (!pointer) return CUDA_ERROR_NOT_FOUND;
  // cuda.h: for virtual memory "the size of the mapped region", not of the reservation.
  if (begin != nullptr) *begin = pointer->mapping_begin;
  if (size != nullptr) *size = pointer->mapping_size;
  return CUDA_SUCCESS;
}
