// The driver as the loader of this machine finds it: the library's own table, and what the doctor
// asks for beyond it. A new question to the driver adds its function here.
//
// Loaded once; immutable and thread-safe afterwards.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include <cuda.h>
#include <tl/expected.hpp>

#include "driver/driver_table.h"

namespace gmlake::tool::doctor {

// X(symbol, type, wanted for the costs): null on drivers without it. The types are those of
// cudaTypedefs.h.
// clang-format off
#define GMLAKE_DOCTOR_FUNCTIONS(X)                                                                  \
  X(cuDriverGetVersion, CUresult (*)(int*), true)                                                   \
  X(cuDeviceGetCount, CUresult (*)(int*), true)                                                     \
  X(cuDeviceGetName, CUresult (*)(char*, int, CUdevice), true)                                      \
  X(cuCtxSetCurrent, CUresult (*)(CUcontext), true)                                                 \
  X(cuStreamCreate, CUresult (*)(CUstream*, unsigned), true)                                        \
  X(cuStreamDestroy_v2, CUresult (*)(CUstream), true)                                               \
  X(cuStreamSynchronize, CUresult (*)(CUstream), true)                                              \
  X(cuStreamWaitEvent, CUresult (*)(CUstream, CUevent, unsigned), true)                             \
  X(cuLaunchHostFunc, CUresult (*)(CUstream, CUhostFn, void*), true)                                \
  X(cuMemAlloc_v2, CUresult (*)(CUdeviceptr*, std::size_t), true)                                   \
  X(cuMemFree_v2, CUresult (*)(CUdeviceptr), true)                                                  \
  X(cuMemAllocAsync, CUresult (*)(CUdeviceptr*, std::size_t, CUstream), true)                       \
  X(cuMemFreeAsync, CUresult (*)(CUdeviceptr, CUstream), true)                                      \
  X(cuMemsetD8_v2, CUresult (*)(CUdeviceptr, unsigned char, std::size_t), true)                     \
  X(cuDeviceGetDefaultMemPool, CUresult (*)(CUmemoryPool*, CUdevice), false)                        \
  X(cuMemPoolSetAttribute, CUresult (*)(CUmemoryPool, CUmemPool_attribute, void*), false)           \
  X(cuMemPoolTrimTo, CUresult (*)(CUmemoryPool, std::size_t), false)
// clang-format on

struct Driver {
  driver::DriverTable table;
#define X(symbol, type, wanted) std::type_identity_t<type> symbol##_ = nullptr;
  GMLAKE_DOCTOR_FUNCTIONS(X)
#undef X
  std::string path;        // of the library the loader found
  bool simulated = false;  // it is simcuda
  int version = 0;         // as cuDriverGetVersion, 13000 for CUDA 13.0

  // Loads and initialises it. The error says what is wrong and what to do, in one sentence.
  static tl::expected<Driver, std::string> open();
};

// CUDA_ERROR_OUT_OF_MEMORY and the like.
std::string error_name(const Driver& driver, int code);

}  // namespace gmlake::tool::doctor
