// Copies and fills of rows and boxes: cuMemcpy2D, cuMemcpy3D, cuMemsetD2D8 and their relatives, as
// far as they are between linear memory. The same work as that of a graph's nodes.
#include <algorithm>

#include "capture.h"
#include "entry.h"
#include "peer.h"

namespace gmlake::simcuda {
namespace {

CUDA_MEMCPY3D as_box(const CUDA_MEMCPY2D& copy) {
  CUDA_MEMCPY3D box{};
  box.srcXInBytes = copy.srcXInBytes;
  box.srcY = copy.srcY;
  box.srcMemoryType = copy.srcMemoryType;
  box.srcHost = copy.srcHost;
  box.srcDevice = copy.srcDevice;
  box.srcArray = copy.srcArray;
  box.srcPitch = copy.srcPitch;
  box.dstXInBytes = copy.dstXInBytes;
  box.dstY = copy.dstY;
  box.dstMemoryType = copy.dstMemoryType;
  box.dstHost = copy.dstHost;
  box.dstDevice = copy.dstDevice;
  box.dstArray = copy.dstArray;
  box.dstPitch = copy.dstPitch;
  box.WidthInBytes = copy.WidthInBytes;
  box.Height = copy.Height;
  box.Depth = 1;
  return box;
}

// Does the work in its stream, or leaves its description to a capture.
// `whose`: the context that an access is made for; null: the stream's.
template <typename Make, typename Whose>
CUresult give(CUstream handle, Implicit implicit, Wait wanted, Reach reach, Make make,
              Whose whose) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (wanted == Wait::yes) {
    if (const CUresult bad = check_stream(*stream)) return bad;
    if (const CUresult bad = check_unsafe()) return bad;
  }
  NodeParams params;
  Work work;
  if (const CUresult bad = make(*stream, params, work)) return bad;
  if (capturing(*stream)) return capture(stream, std::move(params));
  bool must_wait = wanted == Wait::yes;
  for (const Access& access : work.accesses) {
    const Context* by = whose(access);
    if (!reachable(by != nullptr ? *by : *stream->context, access.at, access.size, access.write,
                   reach))
      return CUDA_ERROR_INVALID_VALUE;
    // Pageable memory is the program's again when the call returns.
    must_wait = must_wait || pageable(access.at);
  }
  Point point;
  if (const CUresult bad = enqueue(stream, std::move(work), &point)) return bad;
  if (must_wait) wait(point);
  return CUDA_SUCCESS;
}

template <typename Make>
CUresult give(CUstream handle, Implicit implicit, Wait wanted, Reach reach, Make make) {
  return give(handle, implicit, wanted, reach, make,
              [](const Access&) -> const Context* { return nullptr; });
}

CUresult copy(const CUDA_MEMCPY3D& box, CUstream handle, Implicit implicit, Wait wanted) {
  // cuda.h, cuMemcpy3D: "srcLOD and dstLOD members ... must be set to 0"; reserved ones NULL.
  if (box.srcLOD != 0 || box.dstLOD != 0 || box.reserved0 != nullptr || box.reserved1 != nullptr)
    return CUDA_ERROR_INVALID_VALUE;
  return give(handle, implicit, wanted, Reach::copy,
              [&](const Stream& stream, NodeParams& params, Work& work) {
                params.what = describe(box, to_handle(stream.context));
                return copy_work(box, work);
              });
}
CUresult copy(const CUDA_MEMCPY3D* box, CUstream handle, Implicit implicit, Wait wanted) {
  return box != nullptr ? copy(*box, handle, implicit, wanted) : CUDA_ERROR_INVALID_VALUE;
}
CUresult copy(const CUDA_MEMCPY2D* rows, CUstream handle, Implicit implicit, Wait wanted) {
  return rows != nullptr ? copy(as_box(*rows), handle, implicit, wanted) : CUDA_ERROR_INVALID_VALUE;
}

// Each side is reached from its own context.
CUresult copy_between(const CUDA_MEMCPY3D_PEER* peers, CUstream handle, Implicit implicit,
                      Wait wanted) {
  Context* to = nullptr;
  Context* from = nullptr;
  if (peers == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = find_context(peers->dstContext, to)) return bad;
  if (const CUresult bad = find_context(peers->srcContext, from)) return bad;
  CUDA_MEMCPY3D box{};
  box.srcXInBytes = peers->srcXInBytes;
  box.srcY = peers->srcY;
  box.srcZ = peers->srcZ;
  box.srcMemoryType = peers->srcMemoryType;
  box.srcHost = peers->srcHost;
  box.srcDevice = peers->srcDevice;
  box.srcPitch = peers->srcPitch;
  box.srcHeight = peers->srcHeight;
  box.dstXInBytes = peers->dstXInBytes;
  box.dstY = peers->dstY;
  box.dstZ = peers->dstZ;
  box.dstMemoryType = peers->dstMemoryType;
  box.dstHost = peers->dstHost;
  box.dstDevice = peers->dstDevice;
  box.dstPitch = peers->dstPitch;
  box.dstHeight = peers->dstHeight;
  box.WidthInBytes = peers->WidthInBytes;
  box.Height = peers->Height;
  box.Depth = peers->Depth;
  return give(
      handle, implicit, wanted, Reach::copy,
      [&](const Stream& stream, NodeParams& params, Work& work) {
        params.what = describe(box, to_handle(stream.context));
        return copy_work(box, work);
      },
      [&](const Access& access) -> const Context* { return access.write ? to : from; });
}

CUresult fill(CUdeviceptr at, size_t pitch, unsigned value, unsigned element, size_t width,
              size_t height, CUstream handle, Implicit implicit, Wait wanted) {
  // cuda.h, cuMemsetD2D16 and cuMemsetD2D32: address and pitch are aligned to the element.
  if (pitch % element != 0) return CUDA_ERROR_INVALID_VALUE;
  return give(handle, implicit, wanted, Reach::direct,
              [&](const Stream& stream, NodeParams& params, Work& work) {
                params.what.type = CU_GRAPH_NODE_TYPE_MEMSET;
                params.what.memset = {
                    at, pitch, value, element, width, height, to_handle(stream.context)};
                return fill_work(params.what.memset, work);
              });
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

SIM_PTDS(cuMemcpy2D_v2, (const CUDA_MEMCPY2D* rows), copy(rows, nullptr, implicit, Wait::yes))
SIM_PTDS(cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D* rows),
         copy(rows, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D* rows, CUstream stream),
         copy(rows, stream, implicit, Wait::no))
SIM_PTDS(cuMemcpy3D_v2, (const CUDA_MEMCPY3D* box), copy(box, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D* box, CUstream stream),
         copy(box, stream, implicit, Wait::no))

SIM_PTDS(cuMemcpy3DPeer, (const CUDA_MEMCPY3D_PEER* box),
         copy_between(box, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER* box, CUstream stream),
         copy_between(box, stream, implicit, Wait::no))

#define SIM_FILL(bits, type)                                                                    \
  SIM_PTDS(cuMemsetD2D##bits##_v2,                                                              \
           (CUdeviceptr at, size_t pitch, type value, size_t width, size_t height),             \
           fill(at, pitch, value, bits / 8, width, height, nullptr, implicit, Wait::yes))       \
  SIM_PTSZ(                                                                                     \
      cuMemsetD2D##bits##Async,                                                                 \
      (CUdeviceptr at, size_t pitch, type value, size_t width, size_t height, CUstream stream), \
      fill(at, pitch, value, bits / 8, width, height, stream, implicit, Wait::no))
SIM_FILL(8, unsigned char)
SIM_FILL(16, unsigned short)
SIM_FILL(32, unsigned)
#undef SIM_FILL
