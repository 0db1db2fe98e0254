// cuIpc*MemHandle: memory of cuMemAlloc between processes of one machine. A handle names the
// exporting process, the descriptors there that hold the device's memory and a table of the block's
// pages; the importer reaches both through /proc.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "entry.h"
#include "findings.h"
#include "memory.h"
#include "watch.h"

namespace gmlake::simcuda {

// What the cuIpc calls know of a block.
struct Sharing {
  FileRef table;  // of a block that is exported: its extents
  // Of a block that is another process's: whose, and how often it has been opened.
  pid_t exporter = 0;
  std::uint64_t table_inode = 0;
  unsigned opened = 0;
};

bool opened_by_ipc(const Allocation& block) {
  return block.sharing != nullptr && block.sharing->opened > 0;
}

namespace {

constexpr char kMemoryMagic[16] = "simcuda ipc mem";

struct Handle {
  char magic[16] = {};
  pid_t exporter = 0;
  int device_fd = -1;
  int table_fd = -1;
  unsigned extents = 0;
  std::uint64_t table_inode = 0;
  Bytes size = 0;
};
static_assert(sizeof(Handle) <= sizeof(CUipcMemHandle));

// The pages of a block, in a file that its process keeps as long as the block.
FileRef make_table(const Allocation& block) {
  const Bytes bytes = block.extents.size() * sizeof(Extent);
  CUmemAllocationProp properties{};
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, block.device};
  FileRef table = make_file(FileKind::allocation, round_up(bytes, kPage), properties);
  if (table == nullptr) return nullptr;
  const auto written = pwrite(table->fd, block.extents.data(), bytes, 0);
  return written == static_cast<ssize_t>(bytes) ? table : nullptr;
}

int open_there(pid_t process, int fd) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", process, fd);
  return open(path, O_RDWR | O_CLOEXEC);
}

// The block behind a handle, as far as its process still has it. Measured on driver 580: a process
// that has ended is another error than a block that it has freed.
CUresult read_handle(const Handle& handle, Allocation& block) {
  const auto device = std::make_shared<File>(open_there(handle.exporter, handle.device_fd));
  if (device->fd < 0) return CUDA_ERROR_INVALID_HANDLE;
  File opened(open_there(handle.exporter, handle.table_fd));
  const FileRef table = open_file(opened.fd, FileKind::allocation);
  if (table == nullptr || table->inode != handle.table_inode ||
      handle.extents > table->label.size / sizeof(Extent))
    return CUDA_ERROR_INVALID_VALUE;
  block.size = handle.size;
  block.device = table->label.properties.location.id;
  block.extents.resize(handle.extents);
  const auto bytes = static_cast<ssize_t>(handle.extents * sizeof(Extent));
  if (pread(table->fd, block.extents.data(), handle.extents * sizeof(Extent), 0) != bytes)
    return CUDA_ERROR_INVALID_HANDLE;
  for (const Extent& extent : block.extents) block.pages += extent.size;
  if (check_device(block.device) != CUDA_SUCCESS) return CUDA_ERROR_MAP_FAILED;
  block.file = device;
  return CUDA_SUCCESS;
}

CUresult open_handle(CUdeviceptr* result, const CUipcMemHandle& opaque, unsigned flags) {
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  // "Flags: ... Must be specified as CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS".
  if (result == nullptr || flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS)
    return CUDA_ERROR_INVALID_VALUE;
  Handle handle;
  std::memcpy(&handle, opaque.reserved, sizeof handle);
  if (std::memcmp(handle.magic, kMemoryMagic, sizeof kMemoryMagic) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  // "Maps memory exported from another process": the real driver's answer within one is this.
  if (handle.exporter == getpid()) return CUDA_ERROR_INVALID_CONTEXT;

  Allocation block;
  if (const CUresult bad = read_handle(handle, block)) return bad;
  block.context = context;
  block.sharing = std::make_shared<Sharing>();
  block.sharing->exporter = handle.exporter;
  block.sharing->table_inode = handle.table_inode;
  block.sharing->opened = 1;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  for (auto& [at, other] : m.allocations) {
    if (!opened_by_ipc(other) || other.sharing->exporter != handle.exporter ||
        other.device != block.device)
      continue;
    // "CUipcMemHandles from each CUdevice in a given process may only be opened by one CUcontext
    // per CUdevice per other process."
    if (other.context != context) {
      if (other.context->device == context->device) return CUDA_ERROR_INVALID_CONTEXT;
      continue;
    }
    // "If the memory handle has already been opened by the current context, the reference count on
    // the handle is incremented by 1 and the existing device pointer is returned."
    if (other.sharing->table_inode == handle.table_inode) {
      ++other.sharing->opened;
      *result = at;
      return CUDA_SUCCESS;
    }
  }
  const Address at = m.place(block);
  if (at == 0) return CUDA_ERROR_MAP_FAILED;
  *result = at;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuIpcGetMemHandle(CUipcMemHandle* result, CUdeviceptr at) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  Memory& m = memory();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (!m.backed) return CUDA_ERROR_NOT_SUPPORTED;
  const std::lock_guard lock(m.mutex);
  // "the base of an existing device memory allocation created with cuMemAlloc"; any other address
  // in it names it too (measured on driver 580).
  const auto found = containing(m.allocations, at);
  if (found == m.allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  Allocation& block = found->second;
  if (block.freeing || block.pool != nullptr || block.file != nullptr)
    return CUDA_ERROR_INVALID_VALUE;
  if (block.sharing == nullptr) {
    FileRef table = make_table(block);
    if (table == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    block.sharing = std::make_shared<Sharing>();
    block.sharing->table = std::move(table);
  }
  Handle handle;
  std::memcpy(handle.magic, kMemoryMagic, sizeof kMemoryMagic);
  handle.exporter = getpid();
  handle.device_fd = m.devices[block.device].fd();
  handle.table_fd = block.sharing->table->fd;
  handle.extents = static_cast<unsigned>(block.extents.size());
  handle.table_inode = block.sharing->table->inode;
  handle.size = block.size;
  *result = {};
  std::memcpy(result->reserved, &handle, sizeof handle);
  return CUDA_SUCCESS;
}

CUresult cuIpcOpenMemHandle(CUdeviceptr* result, CUipcMemHandle handle, unsigned flags) {
  SIM_ENTER();
  return open_handle(result, handle, flags);
}
CUresult cuIpcOpenMemHandle_v2(CUdeviceptr* result, CUipcMemHandle handle, unsigned flags) {
  SIM_ENTER();
  return open_handle(result, handle, flags);
}

CUresult cuIpcCloseMemHandle(CUdeviceptr at) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  Memory& m = memory();
  const auto last = [&](bool& is_last) {
    const std::lock_guard lock(m.mutex);
    const auto block = m.allocations.find(at);
    if (block == m.allocations.end() || !opened_by_ipc(block->second))
      return misuse(CUDA_ERROR_INVALID_VALUE, "not memory of another process", at);
    is_last = --block->second.sharing->opened == 0;
    return CUDA_SUCCESS;
  };
  bool is_last = false;
  if (const CUresult bad = last(is_last)) return bad;
  if (!is_last) return CUDA_SUCCESS;
  watch::memory_ends({at}, "closes");
  Freeing block;
  if (const CUresult bad = begin_free(at, 0, block)) return bad;
  end_free(block);
  return CUDA_SUCCESS;
}
