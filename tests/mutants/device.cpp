#include "device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "simcuda.h"

namespace gmlake::mutants {
namespace {

template <typename T>
T argument(void** arguments, unsigned index) {
  T value;
  std::memcpy(&value, arguments[index], sizeof value);
  return value;
}

void access(void** arguments, unsigned index, std::size_t size, bool write) {
  simcuda_kernel_access(reinterpret_cast<void*>(argument<CUdeviceptr>(arguments, index)), size,
                        write);
}

void write_accesses(simcuda_dim3, simcuda_dim3, void** arguments) {
  access(arguments, 0, argument<std::size_t>(arguments, 1), true);
}
void read_accesses(simcuda_dim3, simcuda_dim3, void** arguments) {
  access(arguments, 0, argument<std::size_t>(arguments, 1), false);
}
void transform_accesses(simcuda_dim3, simcuda_dim3, void** arguments) {
  access(arguments, 0, argument<std::size_t>(arguments, 2), true);
  access(arguments, 1, argument<std::size_t>(arguments, 2), false);
}

void launch(CUfunction function, CUstream stream, void** arguments) {
  check(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, arguments, nullptr));
}

}  // namespace

void check(CUresult result, const char* file, int line) {
  if (result == CUDA_SUCCESS) return;
  const char* name = "";
  cuGetErrorName(result, &name);
  std::fprintf(stderr, "%s:%d: %s\n", file, line, name);
  std::exit(1);
}

Device::Device(CUdevice ordinal) : ordinal_(ordinal) {
  check(cuInit(0));
  check(cuDevicePrimaryCtxRetain(&context, ordinal));
  check(cuCtxPushCurrent(context));
  const std::size_t sizes[] = {sizeof(CUdeviceptr), sizeof(CUdeviceptr), sizeof(std::size_t)};
  simcuda_register_kernel_accesses("write", write_accesses, sizes, 2);
  simcuda_register_kernel_accesses("read", read_accesses, sizes, 2);
  simcuda_register_kernel_accesses("transform", transform_accesses, sizes, 3);
  check(cuModuleLoadData(&module_, "kernels"));
  check(cuModuleGetFunction(&write_, module_, "write"));
  check(cuModuleGetFunction(&read_, module_, "read"));
  check(cuModuleGetFunction(&transform_, module_, "transform"));
}

Device::~Device() {
  check(cuModuleUnload(module_));
  check(cuDevicePrimaryCtxRelease(ordinal_));
  check(cuCtxPopCurrent(nullptr));
}

void Device::write(CUdeviceptr at, CUstream stream, std::size_t size) const {
  void* arguments[] = {&at, &size};
  launch(write_, stream, arguments);
}
void Device::read(CUdeviceptr at, CUstream stream, std::size_t size) const {
  void* arguments[] = {&at, &size};
  launch(read_, stream, arguments);
}
void Device::transform(CUdeviceptr to, CUdeviceptr from, CUstream stream, std::size_t size) const {
  void* arguments[] = {&to, &from, &size};
  launch(transform_, stream, arguments);
}

void host_reads(const void* at, std::size_t size) {
  simcuda_host_access(at, size, 0);
}
void host_writes(void* at, std::size_t size) {
  simcuda_host_access(at, size, 1);
}

Physical::Physical() {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  check(cuMemCreate(&handle_, kChunk, &properties, 0));
}

void set_access(CUdeviceptr at, std::size_t size, CUmemAccess_flags flags, CUdevice device) {
  const CUmemAccessDesc access{{CU_MEM_LOCATION_TYPE_DEVICE, device}, flags};
  check(cuMemSetAccess(at, size, &access, 1));
}

Window::Window(std::size_t chunks) : chunks_(chunks) {
  check(cuMemAddressReserve(&at_, size(), 0, 0, 0));
}
Window::Window(const Physical& physical) : Window(std::size_t{1}) {
  map(0, physical);
  set_access(at_, kChunk, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
}
Window::~Window() {
  if (at_ == 0) return;
  if (mapped_ != 0) check(cuCtxSynchronize());
  unmap();
  check(cuMemAddressFree(at_, size()));
}
void Window::map(std::size_t chunk, CUmemGenericAllocationHandle physical) {
  check(cuMemMap(at_ + chunk * kChunk, kChunk, 0, physical, 0));
  mapped_ |= std::size_t{1} << chunk;
}
void Window::unmap() {
  for (std::size_t chunk = 0; chunk < chunks_; ++chunk)
    if ((mapped_ >> chunk & 1) != 0) check(cuMemUnmap(at_ + chunk * kChunk, kChunk));
  mapped_ = 0;
}

}  // namespace gmlake::mutants
