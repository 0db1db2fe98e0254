// cudaMemcpy and its relatives: lines, rows, boxes, and copies between devices.
#include "copy.h"

using namespace gmlake::simcudart;

namespace {

// The driver functions for one flavour of the default stream.
struct Copies {
  decltype(&::cuMemcpy) any;
  decltype(&::cuMemcpyHtoD_v2) to_device;
  decltype(&::cuMemcpyDtoH_v2) to_host;
  decltype(&::cuMemcpyDtoD_v2) on_device;
};
struct AsyncCopies {
  decltype(&::cuMemcpyAsync) any;
  decltype(&::cuMemcpyHtoDAsync_v2) to_device;
  decltype(&::cuMemcpyDtoHAsync_v2) to_host;
  decltype(&::cuMemcpyDtoDAsync_v2) on_device;
};

template <typename Functions, typename... Stream>
CUresult copy(const Functions& functions, void* to, const void* from_, size_t size,
              cudaMemcpyKind kind, Stream... stream) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return functions.to_device(like(to), from_, size, stream...);
    case cudaMemcpyDeviceToHost:
      return functions.to_host(to, like(from_), size, stream...);
    case cudaMemcpyDeviceToDevice:
      return functions.on_device(like(to), like(from_), size, stream...);
    case cudaMemcpyHostToHost:
    case cudaMemcpyDefault:
      return functions.any(like(to), like(from_), size, stream...);
  }
  return to_driver(cudaErrorInvalidMemcpyDirection);
}

struct Rows {
  void* to;
  size_t to_pitch;
  const void* from_;
  size_t from_pitch;
  size_t width;
  size_t height;
  cudaMemcpyKind kind;
};

template <typename Function, typename... Stream>
CUresult copy_rows(Function function, const Rows& rows, Stream... stream) {
  CUDA_MEMCPY2D copy{};
  if (!memory_types(rows.kind, copy.dstMemoryType, copy.srcMemoryType))
    return to_driver(cudaErrorInvalidMemcpyDirection);
  if (rows.width == 0 || rows.height == 0) return CUDA_SUCCESS;
  // cuda_runtime_api.h, cudaMemcpy2D: "width must not exceed either dpitch or spitch". Of a single
  // row the real runtime says "invalid value" (measured).
  if (rows.width > rows.to_pitch || rows.width > rows.from_pitch)
    return to_driver(rows.height > 1 ? cudaErrorInvalidPitchValue : cudaErrorInvalidValue);
  copy.srcHost = rows.from_;
  copy.srcDevice = like(rows.from_);
  copy.srcPitch = rows.from_pitch;
  copy.dstHost = rows.to;
  copy.dstDevice = like(rows.to);
  copy.dstPitch = rows.to_pitch;
  copy.WidthInBytes = rows.width;
  copy.Height = rows.height;
  return function(&copy, stream...);
}

bool is_empty(const cudaExtent& extent) {
  return extent.width == 0 || extent.height == 0 || extent.depth == 0;
}

template <typename Function, typename... Stream>
CUresult copy_box(Function function, const cudaMemcpy3DParms* parameters, Stream... stream) {
  CUDA_MEMCPY3D copy{};
  if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (is_empty(parameters->extent)) return CUDA_SUCCESS;
  if (const cudaError_t failed = describe(*parameters, copy)) return to_driver(failed);
  return function(&copy, stream...);
}

template <typename Function, typename... Stream>
CUresult copy_box(const Driver& driver, Function function, const cudaMemcpy3DPeerParms* parameters,
                  Stream... stream) {
  CUDA_MEMCPY3D_PEER copy{};
  if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (is_empty(parameters->extent)) return CUDA_SUCCESS;
  if (const cudaError_t failed = describe(driver, *parameters, copy)) return to_driver(failed);
  return function(&copy, stream...);
}

template <typename Function, typename... Stream>
CUresult copy_peer(const Driver& driver, Function function, void* to, int to_device,
                   const void* from_, int from_device, size_t size, Stream... stream) {
  CUcontext to_context = nullptr;
  CUcontext from_context = nullptr;
  if (const cudaError_t failed = primary_context(driver, to_device, to_context))
    return to_driver(failed);
  if (const cudaError_t failed = primary_context(driver, from_device, from_context))
    return to_driver(failed);
  return function(like(to), to_context, like(from_), from_context, size, stream...);
}

}  // namespace

#define COPIES(suffix)                                                                          \
  Copies {                                                                                      \
    driver->cuMemcpy##suffix, driver->cuMemcpyHtoD_v2##suffix, driver->cuMemcpyDtoH_v2##suffix, \
        driver->cuMemcpyDtoD_v2##suffix                                                         \
  }
#define ASYNC_COPIES(suffix)                                                       \
  AsyncCopies {                                                                    \
    driver->cuMemcpyAsync##suffix, driver->cuMemcpyHtoDAsync_v2##suffix,           \
        driver->cuMemcpyDtoHAsync_v2##suffix, driver->cuMemcpyDtoDAsync_v2##suffix \
  }
RT_BOTH(cudaMemcpy, _ptds, (void* to, const void* from_, size_t size, cudaMemcpyKind kind),
        copy(COPIES(), to, from_, size, kind), copy(COPIES(_ptds), to, from_, size, kind))
RT_BOTH(cudaMemcpyAsync, _ptsz,
        (void* to, const void* from_, size_t size, cudaMemcpyKind kind, cudaStream_t stream),
        copy(ASYNC_COPIES(), to, from_, size, kind, stream),
        copy(ASYNC_COPIES(_ptsz), to, from_, size, kind, stream))

#define ROWS                                             \
  Rows {                                                 \
    to, to_pitch, from_, from_pitch, width, height, kind \
  }
RT_BOTH(cudaMemcpy2D, _ptds,
        (void* to, size_t to_pitch, const void* from_, size_t from_pitch, size_t width,
         size_t height, cudaMemcpyKind kind),
        copy_rows(driver->cuMemcpy2DUnaligned_v2, ROWS),
        copy_rows(driver->cuMemcpy2DUnaligned_v2_ptds, ROWS))
RT_BOTH(cudaMemcpy2DAsync, _ptsz,
        (void* to, size_t to_pitch, const void* from_, size_t from_pitch, size_t width,
         size_t height, cudaMemcpyKind kind, cudaStream_t stream),
        copy_rows(driver->cuMemcpy2DAsync_v2, ROWS, stream),
        copy_rows(driver->cuMemcpy2DAsync_v2_ptsz, ROWS, stream))

RT_BOTH(cudaMemcpy3D, _ptds, (const cudaMemcpy3DParms* parameters),
        copy_box(driver->cuMemcpy3D_v2, parameters),
        copy_box(driver->cuMemcpy3D_v2_ptds, parameters))
RT_BOTH(cudaMemcpy3DAsync, _ptsz, (const cudaMemcpy3DParms* parameters, cudaStream_t stream),
        copy_box(driver->cuMemcpy3DAsync_v2, parameters, stream),
        copy_box(driver->cuMemcpy3DAsync_v2_ptsz, parameters, stream))
RT_BOTH(cudaMemcpy3DPeer, _ptds, (const cudaMemcpy3DPeerParms* parameters),
        copy_box(*driver, driver->cuMemcpy3DPeer, parameters),
        copy_box(*driver, driver->cuMemcpy3DPeer_ptds, parameters))
RT_BOTH(cudaMemcpy3DPeerAsync, _ptsz,
        (const cudaMemcpy3DPeerParms* parameters, cudaStream_t stream),
        copy_box(*driver, driver->cuMemcpy3DPeerAsync, parameters, stream),
        copy_box(*driver, driver->cuMemcpy3DPeerAsync_ptsz, parameters, stream))

// libcudart has no per-thread variants of these two.
cudaError_t cudaMemcpyPeer(void* to, int to_device, const void* from_, int from_device,
                           size_t size) {
  RT(copy_peer(*driver, driver->cuMemcpyPeer, to, to_device, from_, from_device, size));
}
cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from_, int from_device,
                                size_t size, cudaStream_t stream) {
  RT(copy_peer(*driver, driver->cuMemcpyPeerAsync, to, to_device, from_, from_device, size,
               stream));
}
