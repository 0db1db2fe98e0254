// cudaMemset and its relatives: lines, rows and boxes of bytes.
#include "runtime.h"

using namespace gmlake::simcudart;

namespace {

unsigned char byte(int value) {
  return static_cast<unsigned char>(value);
}

template <typename Function, typename... Stream>
CUresult fill_rows(Function function, void* to, size_t pitch, int value, size_t width,
                   size_t height, Stream... stream) {
  if (width == 0 || height == 0) return CUDA_SUCCESS;
  return function(like(to), pitch, byte(value), width, height, stream...);
}

// Slices of a box lie `ysize` rows apart; where that is its height it is one run of rows.
template <typename Function, typename... Stream>
CUresult fill_box(Function function, const cudaPitchedPtr& to, int value, const cudaExtent& extent,
                  Stream... stream) {
  if (extent.height == to.ysize)
    return fill_rows(function, to.ptr, to.pitch, value, extent.width, extent.height * extent.depth,
                     stream...);
  for (size_t slice = 0; slice < extent.depth; ++slice)
    if (const CUresult bad =
            fill_rows(function, static_cast<char*>(to.ptr) + slice * to.ysize * to.pitch, to.pitch,
                      value, extent.width, extent.height, stream...))
      return bad;
  return CUDA_SUCCESS;
}

}  // namespace

RT_PTDS(cudaMemset, (void* to, int value, size_t size), cuMemsetD8_v2,
        (like(to), byte(value), size))
RT_PTSZ(cudaMemsetAsync, (void* to, int value, size_t size, cudaStream_t stream), cuMemsetD8Async,
        (like(to), byte(value), size, stream))
RT_BOTH(cudaMemset2D, _ptds, (void* to, size_t pitch, int value, size_t width, size_t height),
        fill_rows(driver->cuMemsetD2D8_v2, to, pitch, value, width, height),
        fill_rows(driver->cuMemsetD2D8_v2_ptds, to, pitch, value, width, height))
RT_BOTH(cudaMemset2DAsync, _ptsz,
        (void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream),
        fill_rows(driver->cuMemsetD2D8Async, to, pitch, value, width, height, stream),
        fill_rows(driver->cuMemsetD2D8Async_ptsz, to, pitch, value, width, height, stream))
RT_BOTH(cudaMemset3D, _ptds, (cudaPitchedPtr to, int value, cudaExtent extent),
        fill_box(driver->cuMemsetD2D8_v2, to, value, extent),
        fill_box(driver->cuMemsetD2D8_v2_ptds, to, value, extent))
RT_BOTH(cudaMemset3DAsync, _ptsz,
        (cudaPitchedPtr to, int value, cudaExtent extent, cudaStream_t stream),
        fill_box(driver->cuMemsetD2D8Async, to, value, extent, stream),
        fill_box(driver->cuMemsetD2D8Async_ptsz, to, value, extent, stream))
