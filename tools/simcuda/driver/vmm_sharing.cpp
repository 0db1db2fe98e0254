// cuMemExportToShareableHandle and cuMemImportFromShareableHandle, by POSIX file descriptor. A
// handle made for it has a file of its own; whoever imports that maps the same bytes.
#include "entry.h"
#include "findings.h"
#include "vmm.h"

namespace gmlake::simcuda {

// cuda.h, CUmemAllocationHandleType.
CUresult check_handle_type(CUmemAllocationHandleType type) {
  switch (type) {
    case CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR:
      return CUDA_SUCCESS;
    case CU_MEM_HANDLE_TYPE_WIN32:
    case CU_MEM_HANDLE_TYPE_WIN32_KMT:
    case CU_MEM_HANDLE_TYPE_FABRIC:
      return CUDA_ERROR_NOT_SUPPORTED;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

namespace {

// The handle of this process over that file, if there is one. With memory's lock held.
PhysicalHandle* known(std::uint64_t inode) {
  PhysicalHandle* found = nullptr;
  memory().handles.for_each([&](PhysicalHandle& handle) {
    if (handle.file != nullptr && handle.file->inode == inode) found = &handle;
  });
  return found;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuMemExportToShareableHandle(void* result, CUmemGenericAllocationHandle value,
                                      CUmemAllocationHandleType type, unsigned long long flags) {
  SIM_ENTER();
  // "flags: Reserved, must be zero".
  if (result == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_handle_type(type)) return bad;
  const std::lock_guard lock(memory().mutex);
  const PhysicalHandle* handle = live_handle(value);
  if (handle == nullptr) return misuse(CUDA_ERROR_INVALID_VALUE, "not a physical handle", value);
  // "if requested via cuMemCreate"
  // (CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED)
  if (handle->file == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const int fd = export_file(*handle->file);
  if (fd < 0) return CUDA_ERROR_OUT_OF_MEMORY;
  *static_cast<int*>(result) = fd;
  return CUDA_SUCCESS;
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* result, void* handle,
                                        CUmemAllocationHandleType type) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_handle_type(type)) return bad;
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(handle));
  const FileRef file = open_file(fd, FileKind::handle);
  if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
  // "If the current process cannot support the memory described by this shareable handle".
  if (check_device(file->label.properties.location.id) != CUDA_SUCCESS)
    return CUDA_ERROR_NOT_SUPPORTED;
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  PhysicalHandle* imported = known(file->inode);
  if (imported == nullptr) {
    auto made = std::make_shared<PhysicalHandle>();
    made->size = file->label.size;
    made->properties = file->label.properties;
    made->extents = {{0, made->size}};
    made->file = file;
    made->imported = true;
    imported = made.get();
    imported->value = m.handles.add(std::move(made));
  }
  ++imported->references;
  *result = imported->value;
  return CUDA_SUCCESS;
}
