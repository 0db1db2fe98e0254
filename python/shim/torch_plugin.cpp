// libgmlake_torch.so: gmlake's plug-in functions as PyTorch calls them. An allocation that fails
// throws what PyTorch turns into a RuntimeError that trainers know, where libgmlake.so gives NULL,
// which PyTorch would hand to the kernels. Linked with the system's C++ runtime, as PyTorch is: an
// exception of the one inside libgmlake.so would be caught by nobody.
#include <cstddef>
#include <cstdio>
#include <stdexcept>

#include <sys/types.h>

#include "hooks/gmlake.h"

namespace {

constexpr int kOutOfMemory = 2;  // CUDA_ERROR_OUT_OF_MEMORY
constexpr int kMostDevices = 64;

double gib(std::size_t bytes) {
  return static_cast<double>(bytes) / (std::size_t{1} << 30);
}

// Begins with the words that batch-size finders look for.
[[noreturn]] void out_of_memory(std::size_t size, int device) {
  gmlake_bytes pool{};
  (void)gmlake_memory(device, &pool);
  char text[320];
  std::snprintf(text, sizeof text,
                "CUDA out of memory. Tried to allocate %.2f GiB on GPU %d. gmlake's pool has %.2f "
                "GiB there, of which %.2f GiB are in use; what it tried is on stderr, and "
                "docs/out-of-memory.md says what to do",
                gib(size), device, gib(pool.physical), gib(pool.live));
  throw std::runtime_error(text);
}

[[noreturn]] void failed(std::size_t size, int device, int error) {
  char text[160];
  std::snprintf(
      text, sizeof text,
      "CUDA error %d when gmlake was to allocate %zu bytes on GPU %d; an earlier call may "
      "have caused it",
      error, size, device);
  throw std::runtime_error(text);
}

}  // namespace

#define GMLAKE_TORCH_EXPORT extern "C" __attribute__((visibility("default")))

GMLAKE_TORCH_EXPORT void* gmlake_torch_malloc(ssize_t size, int device, CUstream_st* stream) {
  void* block = nullptr;
  const auto bytes = static_cast<std::size_t>(size);
  const int error = gmlake_allocate(&block, bytes, device, stream);
  if (error == kOutOfMemory) out_of_memory(bytes, device);
  if (error != 0) failed(bytes, device, error);
  return block;
}

GMLAKE_TORCH_EXPORT void gmlake_torch_free(void* block, std::size_t size, int device,
                                           CUstream_st* stream) {
  gmlake_free(block, size, device, stream);
}

GMLAKE_TORCH_EXPORT void gmlake_torch_record_stream(void* block, CUstream_st* stream) {
  gmlake_record_use(block, stream);
}

// Of every device, as torch.cuda.empty_cache() does.
GMLAKE_TORCH_EXPORT void gmlake_torch_empty_cache() {
  for (int device = 0; device < kMostDevices; ++device) (void)gmlake_trim(device, 0);
}
