// What the runtime tells about kernels, and libraries of kernels that the program loads itself.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(static_cast<int>(cudaFuncAttributePreferredSharedMemoryCarveout) ==
              CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT);

namespace {

template <typename Call>
CUresult with_function(const Driver& driver, const void* stub, Call call) {
  CUkernel kernel = nullptr;
  CUfunction function = nullptr;
  if (const cudaError_t failed = find_kernel(driver, stub, kernel)) return to_driver(failed);
  if (const CUresult bad = driver.cuKernelGetFunction(&function, kernel)) return bad;
  return call(function);
}

CUresult get_attributes(const Driver& driver, cudaFuncAttributes* attributes, CUfunction function) {
  if (attributes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *attributes = {};
  CUresult result = CUDA_SUCCESS;
  const auto ask = [&](CUfunction_attribute attribute, auto& field) {
    int value = 0;
    if (const CUresult bad = driver.cuFuncGetAttribute(&value, attribute, function)) result = bad;
    field = static_cast<std::remove_reference_t<decltype(field)>>(value);
  };
  ask(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, attributes->sharedSizeBytes);
  ask(CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES, attributes->constSizeBytes);
  ask(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, attributes->localSizeBytes);
  ask(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, attributes->maxThreadsPerBlock);
  ask(CU_FUNC_ATTRIBUTE_NUM_REGS, attributes->numRegs);
  ask(CU_FUNC_ATTRIBUTE_PTX_VERSION, attributes->ptxVersion);
  ask(CU_FUNC_ATTRIBUTE_BINARY_VERSION, attributes->binaryVersion);
  ask(CU_FUNC_ATTRIBUTE_CACHE_MODE_CA, attributes->cacheModeCA);
  ask(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, attributes->maxDynamicSharedSizeBytes);
  ask(CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, attributes->preferredShmemCarveout);
  return result;
}

CUresult get_registered(const Driver& driver, cudaKernel_t* result, const void* stub) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return to_driver(find_registered(driver, stub, *result));
}

CUresult get_registered(const Driver& driver, cudaFunction_t* result, const void* stub) {
  CUkernel kernel = nullptr;
  if (const CUresult bad = get_registered(driver, &kernel, stub)) return bad;
  return driver.cuKernelGetFunction(result, kernel);
}

}  // namespace

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* stub) {
  RT(with_function(*driver, stub, [&](CUfunction function) {
    return get_attributes(*driver, attributes, function);
  }));
}
cudaError_t cudaFuncSetAttribute(const void* stub, cudaFuncAttribute attribute, int value) {
  RT(with_function(*driver, stub, [&](CUfunction function) {
    return driver->cuFuncSetAttribute(function, like(attribute), value);
  }));
}
cudaError_t cudaFuncSetCacheConfig(const void* stub, cudaFuncCache configuration) {
  RT(with_function(*driver, stub, [&](CUfunction function) {
    return driver->cuFuncSetCacheConfig(function, like(configuration));
  }));
}
cudaError_t cudaFuncGetName(const char** name, const void* stub) {
  RT(with_function(*driver, stub,
                   [&](CUfunction function) { return driver->cuFuncGetName(name, function); }));
}
cudaError_t cudaFuncGetParamInfo(const void* stub, size_t index, size_t* offset, size_t* size) {
  RT(with_function(*driver, stub, [&](CUfunction function) {
    return driver->cuFuncGetParamInfo(function, index, offset, size);
  }));
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* stub,
                                                          int block_size, size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, stub, block_size, shared,
                                                                cudaOccupancyDefault);
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* stub,
                                                                   int block_size, size_t shared,
                                                                   unsigned flags) {
  RT(with_function(*driver, stub, [&](CUfunction function) {
    return driver->cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function,
                                                                        block_size, shared, flags);
  }));
}
cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t* size, const void* stub, int blocks,
                                                      int block_size) {
  RT(with_function(*driver, stub, [&](CUfunction function) {
    return driver->cuOccupancyAvailableDynamicSMemPerBlock(size, function, blocks, block_size);
  }));
}

cudaError_t cudaGetKernel(cudaKernel_t* result, const void* stub) {
  RT(get_registered(*driver, result, stub));
}
cudaError_t cudaGetFuncBySymbol(cudaFunction_t* result, const void* stub) {
  RT(get_registered(*driver, result, stub));
}

cudaError_t cudaLibraryLoadData(cudaLibrary_t* library, const void* code, cudaJitOption* jit,
                                void** jit_values, unsigned jit_count, cudaLibraryOption* options,
                                void** values, unsigned count) {
  RT(driver->cuLibraryLoadData(library, code, like(jit), jit_values, jit_count, like(options),
                               values, count));
}
cudaError_t cudaLibraryLoadFromFile(cudaLibrary_t* library, const char* file, cudaJitOption* jit,
                                    void** jit_values, unsigned jit_count,
                                    cudaLibraryOption* options, void** values, unsigned count) {
  RT(driver->cuLibraryLoadFromFile(library, file, like(jit), jit_values, jit_count, like(options),
                                   values, count));
}
cudaError_t cudaLibraryUnload(cudaLibrary_t library) {
  RT(driver->cuLibraryUnload(library));
}
cudaError_t cudaLibraryGetKernel(cudaKernel_t* kernel, cudaLibrary_t library, const char* name) {
  RT(driver->cuLibraryGetKernel(kernel, library, name));
}
cudaError_t cudaLibraryGetGlobal(void** pointer, size_t* size, cudaLibrary_t library,
                                 const char* name) {
  RT(driver->cuLibraryGetGlobal(like(pointer), size, library, name));
}
cudaError_t cudaLibraryGetManaged(void** pointer, size_t* size, cudaLibrary_t library,
                                  const char* name) {
  RT(driver->cuLibraryGetManaged(like(pointer), size, library, name));
}
cudaError_t cudaLibraryGetKernelCount(unsigned* count, cudaLibrary_t library) {
  RT(driver->cuLibraryGetKernelCount(count, library));
}
cudaError_t cudaLibraryEnumerateKernels(cudaKernel_t* kernels, unsigned count,
                                        cudaLibrary_t library) {
  RT(driver->cuLibraryEnumerateKernels(kernels, count, library));
}
cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t kernel, cudaFuncAttribute attribute,
                                            int value, int device) {
  RT(driver->cuKernelSetAttribute(like(attribute), value, kernel, device));
}
