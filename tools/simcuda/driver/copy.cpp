// Copies and fills. A copy is an operation of its stream; the forms without "Async" wait for it.
//
// Pageable host memory follows cuda_runtime_api.h, "API synchronization behavior": it is staged
// when it is the source of an asynchronous copy, and waited for when it is the destination. Sets of
// a device's memory and copies within devices may return before they are over (leniency.h), but for
// memory with CU_POINTER_ATTRIBUTE_SYNC_MEMOPS.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "capture.h"
#include "entry.h"
#include "findings.h"
#include "leniency.h"
#include "peer.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

constexpr Address kLowest = 4096;  // nothing is ever mapped below
constexpr Bytes kMaxCount = Bytes{1} << 48;

constexpr const char* kNotThere = "freed, unmapped or inaccessible memory in the range from";

enum class Side { host, device, any };

// Whether a pointer is what the function's name says it is.
bool plausible(Address at, Side side) {
  return at >= kLowest && (side != Side::device || !pageable(at));
}

CUmemorytype memory_type(Side side) {
  return side == Side::host     ? CU_MEMORYTYPE_HOST
         : side == Side::device ? CU_MEMORYTYPE_DEVICE
                                : CU_MEMORYTYPE_UNIFIED;
}

// A call that waits is of no use to a capture, and potentially unsafe to it.
CUresult check_wait(const StreamRef& stream, Wait wanted) {
  if (wanted == Wait::no) return CUDA_SUCCESS;
  if (const CUresult bad = check_stream(*stream)) return bad;
  return check_unsafe();
}

// Gives the work to its stream, and waits for it if the call is one that does.
CUresult give(const StreamRef& stream, Work work, bool must_wait) {
  if (!memory().backed) {
    work.run = Run::marker;
    work.body = nullptr;
  }
  Point point;
  if (const CUresult bad = enqueue(stream, std::move(work), &point)) return bad;
  if (must_wait) wait(point);
  return CUDA_SUCCESS;
}

// The copy as a node. A side whose kind the function's name leaves open is of any kind.
CUresult capture_copy(const StreamRef& stream, Address to, Side to_side, Address from,
                      Side from_side, Bytes size) {
  NodeParams params;
  params.what.type = CU_GRAPH_NODE_TYPE_MEMCPY;
  params.what.memcpy.copyCtx = to_handle(stream->context);
  CUDA_MEMCPY3D& copy = params.what.memcpy.copyParams;
  copy.srcMemoryType = memory_type(from_side);
  copy.srcHost = from_side == Side::host ? reinterpret_cast<const void*>(from) : nullptr;
  copy.srcDevice = from_side == Side::host ? 0 : from;
  copy.dstMemoryType = memory_type(to_side);
  copy.dstHost = to_side == Side::host ? reinterpret_cast<void*>(to) : nullptr;
  copy.dstDevice = to_side == Side::host ? 0 : to;
  copy.WidthInBytes = size;
  copy.Height = copy.Depth = 1;
  return capture(stream, std::move(params));
}

// Whether nobody waits for an operation on it to end.
bool goes_on(Address at) {
  Memory& m = memory();
  if (!returns_early() || !m.owns(at)) return false;
  const std::lock_guard lock(m.mutex);
  const auto block = containing(m.allocations, at);
  return block == m.allocations.end() || block->second.sync_memops == 0;
}

// Whose memory a copy reads and writes; null: what the current context's device reaches, whichever
// stream the copy is given to.
struct Peers {
  const Context* to = nullptr;
  const Context* from = nullptr;
};

CUresult copy(Address to, Side to_side, Address from, Side from_side, Bytes size, CUstream handle,
              Implicit implicit, Wait wanted, const Peers& peers = {}) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (const CUresult bad = check_wait(stream, wanted)) return bad;
  if (size == 0) return CUDA_SUCCESS;
  if (!plausible(to, to_side) || !plausible(from, from_side)) return CUDA_ERROR_INVALID_VALUE;
  if (capturing(*stream)) return capture_copy(stream, to, to_side, from, from_side, size);
  Context* current = nullptr;
  const Context& here = current_context(current) == CUDA_SUCCESS ? *current : *stream->context;
  if (!reachable(peers.to != nullptr ? *peers.to : here, to, size, true, Reach::copy) ||
      !reachable(peers.from != nullptr ? *peers.from : here, from, size, false, Reach::copy))
    return CUDA_ERROR_INVALID_VALUE;
  if (!accessible(to, size, true)) return misuse(CUDA_ERROR_INVALID_VALUE, kNotThere, to);
  if (!accessible(from, size, false)) return misuse(CUDA_ERROR_INVALID_VALUE, kNotThere, from);

  auto* destination = reinterpret_cast<char*>(to);
  const auto* source = reinterpret_cast<const char*>(from);
  const bool must_wait = (wanted == Wait::yes && !(goes_on(to) && goes_on(from))) || pageable(to);
  if (!must_wait && pageable(from) && memory().backed) {
    watch::host_touches(from, size, false);
    auto staged = std::make_shared<std::vector<char>>(source, source + size);
    return give(stream,
                {Run::device,
                 [=] { std::memcpy(destination, staged->data(), staged->size()); },
                 {{to, size, true}}},
                false);
  }
  return give(stream,
              {Run::device,
               [=] { std::memmove(destination, source, size); },
               {{from, size, false}, {to, size, true}}},
              must_wait);
}

CUresult copy_peer(Address to, CUcontext to_context, Address from, CUcontext from_context,
                   Bytes size, CUstream handle, Implicit implicit, Wait wanted) {
  Context* contexts[2] = {};
  if (const CUresult bad = find_context(to_context, contexts[0])) return bad;
  if (const CUresult bad = find_context(from_context, contexts[1])) return bad;
  return copy(to, Side::device, from, Side::device, size, handle, implicit, wanted,
              {contexts[0], contexts[1]});
}

template <typename T>
CUresult fill(Address at, T value, size_t count, CUstream handle, Implicit implicit, Wait wanted) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (const CUresult bad = check_wait(stream, wanted)) return bad;
  if (count == 0) return CUDA_SUCCESS;
  // cuda.h, cuMemsetD16 and cuMemsetD32: the address must be two-byte or four-byte aligned.
  if (!plausible(at, Side::device) || at % sizeof(T) != 0 || count > kMaxCount / sizeof(T))
    return CUDA_ERROR_INVALID_VALUE;
  const Bytes size = count * sizeof(T);
  if (capturing(*stream)) {
    NodeParams params;
    params.what.type = CU_GRAPH_NODE_TYPE_MEMSET;
    params.what.memset = {at, 0, value, sizeof(T), count, 1, to_handle(stream->context)};
    return capture(stream, std::move(params));
  }
  if (!reachable(*stream->context, at, size, true, Reach::direct)) return CUDA_ERROR_INVALID_VALUE;
  if (!accessible(at, size, true)) return misuse(CUDA_ERROR_INVALID_VALUE, kNotThere, at);
  return give(stream,
              {Run::device,
               [=] { std::fill_n(reinterpret_cast<T*>(at), count, value); },
               {{at, size, true}}},
              wanted == Wait::yes && !goes_on(at));
}

Address address(const void* pointer) {
  return reinterpret_cast<Address>(pointer);
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

SIM_PTDS(cuMemcpy, (CUdeviceptr to, CUdeviceptr from, size_t size),
         copy(to, Side::any, from, Side::any, size, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemcpyAsync, (CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream),
         copy(to, Side::any, from, Side::any, size, stream, implicit, Wait::no))
SIM_PTSZ(cuMemcpyWithAttributesAsync,
         (CUdeviceptr to, CUdeviceptr from, size_t size, CUmemcpyAttributes* attributes,
          CUstream stream),
         attributes != nullptr
             ? copy(to, Side::any, from, Side::any, size, stream, implicit, Wait::no)
             : CUDA_ERROR_INVALID_VALUE)
SIM_PTDS(cuMemcpyHtoD_v2, (CUdeviceptr to, const void* from, size_t size),
         copy(to, Side::device, address(from), Side::host, size, nullptr, implicit, Wait::yes))
SIM_PTDS(cuMemcpyDtoH_v2, (void* to, CUdeviceptr from, size_t size),
         copy(address(to), Side::host, from, Side::device, size, nullptr, implicit, Wait::yes))
SIM_PTDS(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, size_t size),
         copy(to, Side::device, from, Side::device, size, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void* from, size_t size, CUstream stream),
         copy(to, Side::device, address(from), Side::host, size, stream, implicit, Wait::no))
SIM_PTSZ(cuMemcpyDtoHAsync_v2, (void* to, CUdeviceptr from, size_t size, CUstream stream),
         copy(address(to), Side::host, from, Side::device, size, stream, implicit, Wait::no))
SIM_PTSZ(cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream),
         copy(to, Side::device, from, Side::device, size, stream, implicit, Wait::no))

SIM_PTDS(cuMemcpyPeer,
         (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
          size_t size),
         copy_peer(to, to_context, from, from_context, size, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemcpyPeerAsync,
         (CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
          size_t size, CUstream stream),
         copy_peer(to, to_context, from, from_context, size, stream, implicit, Wait::no))

SIM_PTDS(cuMemsetD8_v2, (CUdeviceptr at, unsigned char value, size_t count),
         fill(at, value, count, nullptr, implicit, Wait::yes))
SIM_PTDS(cuMemsetD16_v2, (CUdeviceptr at, unsigned short value, size_t count),
         fill(at, value, count, nullptr, implicit, Wait::yes))
SIM_PTDS(cuMemsetD32_v2, (CUdeviceptr at, unsigned value, size_t count),
         fill(at, value, count, nullptr, implicit, Wait::yes))
SIM_PTSZ(cuMemsetD8Async, (CUdeviceptr at, unsigned char value, size_t count, CUstream stream),
         fill(at, value, count, stream, implicit, Wait::no))
SIM_PTSZ(cuMemsetD16Async, (CUdeviceptr at, unsigned short value, size_t count, CUstream stream),
         fill(at, value, count, stream, implicit, Wait::no))
SIM_PTSZ(cuMemsetD32Async, (CUdeviceptr at, unsigned value, size_t count, CUstream stream),
         fill(at, value, count, stream, implicit, Wait::no))
