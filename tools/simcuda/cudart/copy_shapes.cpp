// How the runtime's copies of rows and boxes are described to the driver.
#include "copy.h"

namespace gmlake::simcudart {
namespace {

// The fields that CUDA_MEMCPY3D and CUDA_MEMCPY3D_PEER have in common.
template <typename Copy, typename DriverCopy>
cudaError_t describe_box(const Copy& copy, CUmemorytype to, CUmemorytype from_, DriverCopy& box) {
  if (copy.srcArray != nullptr || copy.dstArray != nullptr) return cudaErrorNotSupported;
  if (copy.srcPtr.ptr == nullptr || copy.dstPtr.ptr == nullptr) return cudaErrorInvalidValue;
  box = {};
  box.srcXInBytes = copy.srcPos.x;
  box.srcY = copy.srcPos.y;
  box.srcZ = copy.srcPos.z;
  box.srcMemoryType = from_;
  box.srcHost = copy.srcPtr.ptr;
  box.srcDevice = like(copy.srcPtr.ptr);
  box.srcPitch = copy.srcPtr.pitch;
  box.srcHeight = copy.srcPtr.ysize;
  box.dstXInBytes = copy.dstPos.x;
  box.dstY = copy.dstPos.y;
  box.dstZ = copy.dstPos.z;
  box.dstMemoryType = to;
  box.dstHost = copy.dstPtr.ptr;
  box.dstDevice = like(copy.dstPtr.ptr);
  box.dstPitch = copy.dstPtr.pitch;
  box.dstHeight = copy.dstPtr.ysize;
  box.WidthInBytes = copy.extent.width;
  box.Height = copy.extent.height;
  box.Depth = copy.extent.depth;
  return cudaSuccess;
}

cudaMemcpyKind kind_of(CUmemorytype to, CUmemorytype from_) {
  if (to == CU_MEMORYTYPE_HOST)
    return from_ == CU_MEMORYTYPE_HOST     ? cudaMemcpyHostToHost
           : from_ == CU_MEMORYTYPE_DEVICE ? cudaMemcpyDeviceToHost
                                           : cudaMemcpyDefault;
  if (to == CU_MEMORYTYPE_DEVICE)
    return from_ == CU_MEMORYTYPE_HOST     ? cudaMemcpyHostToDevice
           : from_ == CU_MEMORYTYPE_DEVICE ? cudaMemcpyDeviceToDevice
                                           : cudaMemcpyDefault;
  return cudaMemcpyDefault;
}

// CUDA_MEMCPY3D has the address of host memory and of other memory in different fields.
void* address(CUmemorytype type, const void* host, CUdeviceptr device) {
  return type == CU_MEMORYTYPE_HOST ? const_cast<void*>(host) : reinterpret_cast<void*>(device);
}

}  // namespace

bool memory_types(cudaMemcpyKind kind, CUmemorytype& to, CUmemorytype& from_) {
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return false;
  if (kind == cudaMemcpyDefault) {
    to = from_ = CU_MEMORYTYPE_UNIFIED;
    return true;
  }
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  to = to_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
  from_ = from_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
  return true;
}

cudaError_t describe(const cudaMemcpy3DParms& copy, CUDA_MEMCPY3D& box) {
  CUmemorytype to{};
  CUmemorytype from_{};
  if (!memory_types(copy.kind, to, from_)) return cudaErrorInvalidMemcpyDirection;
  return describe_box(copy, to, from_, box);
}

cudaError_t describe(const Driver& driver, const cudaMemcpy3DPeerParms& copy,
                     CUDA_MEMCPY3D_PEER& box) {
  if (const cudaError_t failed =
          describe_box(copy, CU_MEMORYTYPE_DEVICE, CU_MEMORYTYPE_DEVICE, box))
    return failed;
  if (const cudaError_t failed = primary_context(driver, copy.srcDevice, box.srcContext))
    return failed;
  return primary_context(driver, copy.dstDevice, box.dstContext);
}

cudaMemcpy3DParms describe(const CUDA_MEMCPY3D& box) {
  cudaMemcpy3DParms copy{};
  copy.srcPos = {box.srcXInBytes, box.srcY, box.srcZ};
  copy.srcPtr = {address(box.srcMemoryType, box.srcHost, box.srcDevice), box.srcPitch,
                 box.WidthInBytes, box.srcHeight};
  copy.dstPos = {box.dstXInBytes, box.dstY, box.dstZ};
  copy.dstPtr = {address(box.dstMemoryType, box.dstHost, box.dstDevice), box.dstPitch,
                 box.WidthInBytes, box.dstHeight};
  copy.extent = {box.WidthInBytes, box.Height, box.Depth};
  copy.kind = kind_of(box.dstMemoryType, box.srcMemoryType);
  return copy;
}

}  // namespace gmlake::simcudart
