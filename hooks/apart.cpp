#include "hooks/apart.h"

#include "hooks/process.h"

namespace gmlake::hooks {
namespace {

template <typename Box>
void set_common(PeerCopy& out, const Box& box) {
  out.srcXInBytes = box.srcXInBytes;
  out.srcY = box.srcY;
  out.srcMemoryType = box.srcMemoryType;
  out.srcHost = box.srcHost;
  out.srcDevice = box.srcDevice;
  out.srcArray = box.srcArray;
  out.srcPitch = box.srcPitch;
  out.dstXInBytes = box.dstXInBytes;
  out.dstY = box.dstY;
  out.dstMemoryType = box.dstMemoryType;
  out.dstHost = box.dstHost;
  out.dstDevice = box.dstDevice;
  out.dstArray = box.dstArray;
  out.dstPitch = box.dstPitch;
  out.WidthInBytes = box.WidthInBytes;
  out.Height = box.Height;
  out.Depth = 1;
}

// The context of device memory; null if it is the host's.
CUcontext context_of(const RealDriver& real, CUdeviceptr at) {
  CUcontext context = nullptr;
  if (auto* const owner = Process::get().owner(at)) {
    (void)guarded([&] {
      if (const auto block = owner->view(at)) context = static_cast<CUcontext>(block->context);
    });
    return context;
  }
  unsigned type = 0;
  const auto ask = [&](void* into, CUpointer_attribute which) {
    return real.pointer_get_attribute &&
           real.pointer_get_attribute(into, which, at) == CUDA_SUCCESS;
  };
  if (ask(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE) && type == CU_MEMORYTYPE_DEVICE)
    (void)ask(&context, CU_POINTER_ATTRIBUTE_CONTEXT);
  return context;
}

}  // namespace

void set_line(PeerCopy& out, CUmemorytype to_type, CUdeviceptr to, CUmemorytype from_type,
              CUdeviceptr from, std::size_t bytes) {
  out.dstMemoryType = to_type;
  out.dstDevice = to;
  out.dstHost = reinterpret_cast<void*>(to);
  out.srcMemoryType = from_type;
  out.srcDevice = from;
  out.srcHost = reinterpret_cast<const void*>(from);
  out.WidthInBytes = bytes;
  out.Height = 1;
  out.Depth = 1;
}

bool as_peer_copy(PeerCopy& out, const CUDA_MEMCPY2D* rows, CUstream) {
  if (rows) set_common(out, *rows);
  return rows != nullptr;
}

bool as_peer_copy(PeerCopy& out, const CUDA_MEMCPY3D* box, CUstream) {
  if (!box) return false;
  set_common(out, *box);
  out.srcZ = box->srcZ;
  out.srcLOD = box->srcLOD;
  out.srcHeight = box->srcHeight;
  out.dstZ = box->dstZ;
  out.dstLOD = box->dstLOD;
  out.dstHeight = box->dstHeight;
  out.Depth = box->Depth;
  return true;
}

void name_contexts(const RealDriver& real, PeerCopy& copy) {
  CUcontext current = nullptr;
  (void)real.table.cuCtxGetCurrent_(&current);
  const auto name = [&](CUmemorytype& type, CUdeviceptr at, auto& host, CUcontext& context) {
    context = current;
    if (type != CU_MEMORYTYPE_DEVICE && type != CU_MEMORYTYPE_UNIFIED) return;
    auto* const its = context_of(real, at);
    if (its) context = its;
    if (type != CU_MEMORYTYPE_UNIFIED) return;
    type = its ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    host = reinterpret_cast<void*>(at);
  };
  name(copy.dstMemoryType, copy.dstDevice, copy.dstHost, copy.dstContext);
  name(copy.srcMemoryType, copy.srcDevice, copy.srcHost, copy.srcContext);
}

}  // namespace gmlake::hooks
