// cuMemAllocAsync, cuMemAllocFromPoolAsync, cuMemFreeAsync: allocation in the order of a stream.
// cuda.h, section "Stream Ordered Memory Allocator".
#include "capture.h"
#include "entry.h"
#include "pool.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

// The pool's pages under addresses of their own, and what the stream has to wait for before it may
// use them.
CUresult take(const PoolRef& pool, Bytes size, const StreamRef& stream, Address& at,
              std::vector<Point>& after) {
  Memory& m = memory();
  Allocation block;
  block.size = size;
  block.pages = round_up(size, kPage);
  block.device = pool->device();
  block.pool = pool;
  block.file = pool->file;
  auto grants = pool->grant(block.pages, stream, after);
  if (grants.empty()) return CUDA_ERROR_OUT_OF_MEMORY;
  for (const Grant& grant : grants)
    block.extents.insert(block.extents.end(), grant.extents.begin(), grant.extents.end());
  if (pool->file != nullptr)
    block.extents = {{*pool->places.take(block.pages, kPage), block.pages}};
  at = m.place(block);
  if (at == 0) {
    if (pool->file != nullptr)
      pool->places.give(block.extents.front().offset, block.extents.front().size);
    pool->refuse(grants);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  pool->accept();
  return CUDA_SUCCESS;
}

// What was freed with no stream is complete at once.
void free_at_once(Address at) {
  Freeing block;
  if (begin_free(at, 0, block) == CUDA_SUCCESS) end_free(block);
}

// Outside of a capture both are potentially unsafe to one (measured on driver 580).
CUresult check_stream_ordered(const Stream& stream) {
  if (const CUresult bad = check_unsafe()) return bad;
  return check_stream(stream);
}

enum class From { current_pool, given_pool };

CUresult allocate(CUdeviceptr* result, Bytes size, From from, CUmemoryPool handle,
                  CUstream stream_handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(stream_handle, implicit, stream)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool for_capture = capturing(*stream);
  if (!for_capture)
    if (const CUresult bad = check_stream_ordered(*stream)) return bad;
  CUdevice device = 0;
  Address at = 0;
  std::vector<Point> after;
  {
    Memory& m = memory();
    const std::lock_guard lock(m.mutex);
    PoolRef pool = m.current_pools[stream->context->device];
    if (from == From::given_pool)
      if (const CUresult bad = find_pool(handle, pool)) return bad;
    // cuda.h: "Imported memory pools do not support creating new allocations."
    if (pool->imported) return CUDA_ERROR_INVALID_VALUE;
    if (size == 0) {  // unlike cuMemAlloc: no memory and no error (measured on driver 580)
      *result = 0;
      return CUDA_SUCCESS;
    }
    device = pool->device();
    if (size > m.devices[device].capacity()) return CUDA_ERROR_OUT_OF_MEMORY;
    if (!for_capture)
      if (const CUresult bad = take(pool, size, stream, at, after)) return bad;
  }
  if (for_capture) return capture_allocation(stream, device, result, size);
  Point begun;
  if (const CUresult bad = enqueue(stream, {Run::marker, {}, {}, std::move(after)}, &begun)) {
    free_at_once(at);
    return bad;
  }
  {
    const std::lock_guard lock(memory().mutex);
    memory().allocations.at(at).begun = std::move(begun);
  }
  watch::memory_begins(at, size, stream);
  *result = at;
  return CUDA_SUCCESS;
}

CUresult free_async(Address at, CUstream handle, Implicit implicit) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (at == 0) return CUDA_SUCCESS;
  if (capturing(*stream)) return capture_free(stream, at);
  if (const CUresult bad = check_stream_ordered(*stream)) return bad;
  Freeing block;
  if (const CUresult bad = begin_free(at, stream->id, block)) return bad;
  watch::memory_ends(at, "frees", stream);
  Point point;
  const CUresult bad = enqueue(stream, {Run::brief, [block] { end_free(block); }}, &point);
  if (bad != CUDA_SUCCESS) {
    cancel_free(block);
  } else if (block.pool != nullptr) {
    const std::lock_guard lock(memory().mutex);
    block.pool->give(block.id, point);
  }
  return bad;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

SIM_PTSZ(cuMemAllocAsync, (CUdeviceptr * result, size_t size, CUstream stream),
         allocate(result, size, From::current_pool, nullptr, stream, implicit))
SIM_PTSZ(cuMemAllocFromPoolAsync,
         (CUdeviceptr * result, size_t size, CUmemoryPool pool, CUstream stream),
         allocate(result, size, From::given_pool, pool, stream, implicit))
SIM_PTSZ(cuMemFreeAsync, (CUdeviceptr at, CUstream stream), free_async(at, stream, implicit))
