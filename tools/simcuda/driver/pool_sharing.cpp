// Pools between processes, by POSIX file descriptor: cuMemPoolExportToShareableHandle and its
// relatives. The pool's memory is one file; an exported pointer says which part of it is meant.
#include <algorithm>
#include <cstring>

#include "entry.h"
#include "pool.h"
#include "vmm.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

// The most addresses a pool's memory can have, far above what a device has: pages are only there
// while they are allocated.
constexpr Bytes kPoolFile = 4 * TiB;

constexpr char kPointerMagic[16] = "simcuda pointer";

struct ExportedPointer {
  char magic[16] = {};
  std::uint64_t inode = 0;  // of the pool's file
  std::uint64_t offset = 0;
  Bytes size = 0;
};
static_assert(sizeof(ExportedPointer) <= sizeof(CUmemPoolPtrExportData));

}  // namespace

bool open_pool_file(Pool& pool) {
  CUmemAllocationProp properties{};
  properties.type = pool.properties.allocType;
  properties.location = pool.properties.location;
  properties.requestedHandleTypes = pool.properties.handleTypes;
  pool.file = make_file(FileKind::pool, kPoolFile, properties);
  if (pool.file == nullptr) return false;
  pool.places.give(0, kPoolFile);
  return true;
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemPoolExportToShareableHandle(void* result, CUmemoryPool handle,
                                          CUmemAllocationHandleType type,
                                          unsigned long long flags) {
  SIM_ENTER();
  if (result == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_handle_type(type)) return bad;
  const std::lock_guard lock(memory().mutex);
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  // "To create an IPC capable mempool, create a mempool with a CUmemAllocationHandleType other than
  // CU_MEM_HANDLE_TYPE_NONE."
  if (pool->file == nullptr || pool->imported) return CUDA_ERROR_INVALID_VALUE;
  const int fd = export_file(*pool->file);
  if (fd < 0) return CUDA_ERROR_OUT_OF_MEMORY;
  *static_cast<int*>(result) = fd;
  return CUDA_SUCCESS;
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool* result, void* handle,
                                            CUmemAllocationHandleType type,
                                            unsigned long long flags) {
  SIM_ENTER();
  if (result == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_handle_type(type)) return bad;
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(handle));
  const FileRef file = open_file(fd, FileKind::pool);
  if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUmemAllocationProp& made = file->label.properties;
  if (check_device(made.location.id) != CUDA_SUCCESS) return CUDA_ERROR_NOT_SUPPORTED;
  auto pool = std::make_shared<Pool>();
  pool->properties.allocType = made.type;
  pool->properties.location = made.location;
  pool->properties.handleTypes = made.requestedHandleTypes;
  pool->file = file;
  pool->imported = true;
  const std::lock_guard lock(memory().mutex);
  *result = add_pool(memory(), std::move(pool));
  return CUDA_SUCCESS;
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData* result, CUdeviceptr at) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto block = m.allocations.find(at);
  if (block == m.allocations.end() || block->second.freeing || block->second.pool == nullptr ||
      block->second.file == nullptr || block->second.pool->imported)
    return CUDA_ERROR_INVALID_VALUE;
  ExportedPointer pointer;
  std::memcpy(pointer.magic, kPointerMagic, sizeof kPointerMagic);
  pointer.inode = block->second.file->inode;
  pointer.offset = block->second.extents.front().offset;
  pointer.size = block->second.size;
  *result = {};
  std::memcpy(result->reserved, &pointer, sizeof pointer);
  return CUDA_SUCCESS;
}

CUresult cuMemPoolImportPointer(CUdeviceptr* result, CUmemoryPool handle,
                                CUmemPoolPtrExportData* data) {
  SIM_ENTER();
  if (result == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ExportedPointer pointer;
  std::memcpy(&pointer, data->reserved, sizeof pointer);
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  PoolRef pool;
  if (const CUresult bad = find_pool(handle, pool)) return bad;
  if (!pool->imported || std::memcmp(pointer.magic, kPointerMagic, sizeof kPointerMagic) != 0 ||
      pointer.inode != pool->file->inode || pointer.size == 0 || pointer.offset % kPage != 0 ||
      pointer.offset > kPoolFile || pointer.size > kPoolFile - pointer.offset)
    return CUDA_ERROR_INVALID_VALUE;
  Allocation block;
  block.size = pointer.size;
  block.pages = gmlake::round_up(pointer.size, kPage);
  block.device = pool->device();
  block.pool = pool;
  block.file = pool->file;
  block.extents = {{pointer.offset, block.pages}};
  const Address at = m.place(block);
  if (at == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  *result = at;
  return CUDA_SUCCESS;
}
