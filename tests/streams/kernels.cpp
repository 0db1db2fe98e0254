#include "streams/kernels.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include "simcuda.h"

namespace gmlake::streams {
namespace {

constexpr std::size_t kStep = 512 << 10;
std::mutex mutex;
std::string found;

struct Arguments {
  std::uint64_t at = 0, size = 0, block = 0, number = 0;
  explicit Arguments(void** arguments) {
    for (auto* value : {&at, &size, &block, &number})
      std::memcpy(value, *arguments++, sizeof *value);
  }
};
constexpr std::size_t kSizes[] = {8, 8, 8, 8};

// Calls visit(offset) for the words that are looked at, and visit(word, offset).
template <typename Visit>
void each_offset(std::uint64_t size, Visit visit) {
  for (std::uint64_t offset = 0; offset + 8 < size; offset += kStep) visit(offset);
  visit(size - 8);
}
template <typename Visit>
void each_word(const Arguments& a, Visit visit) {
  each_offset(a.size, [&](std::uint64_t offset) {
    visit(*reinterpret_cast<std::uint64_t*>(a.at + offset), offset);
  });
}
std::uint64_t mixed(std::uint64_t value, std::uint64_t offset) {
  return value ^ (offset * 0x9e3779b97f4a7c15u);
}

void run_fill(simcuda_dim3, simcuda_dim3, void** arguments) {
  const Arguments a(arguments);
  each_word(a, [&](std::uint64_t& word, std::uint64_t offset) {
    word = mixed(a.block << 32 | a.number, offset);
  });
}
void run_check(simcuda_dim3, simcuda_dim3, void** arguments) {
  const Arguments a(arguments);
  std::uint64_t first = 0;
  each_word(a, [&](const std::uint64_t& word, std::uint64_t offset) {
    const auto value = mixed(word, offset);
    if (offset == 0) first = value;
    if (value == first && value >> 32 == a.block) return;
    char text[128];
    std::snprintf(text, sizeof text,
                  "block %llu at offset %llu has what block %llu was filled with",
                  static_cast<unsigned long long>(a.block), static_cast<unsigned long long>(offset),
                  static_cast<unsigned long long>(value >> 32));
    const std::lock_guard lock(mutex);
    found +=
        std::string(text) + " " + std::to_string(value) + " first " + std::to_string(first) + "\n";
  });
}
void says_write(simcuda_dim3, simcuda_dim3, void** arguments) {
  const Arguments a(arguments);
  simcuda_kernel_access(reinterpret_cast<void*>(a.at), a.size, 1);
}
void says_read(simcuda_dim3, simcuda_dim3, void** arguments) {
  const Arguments a(arguments);
  simcuda_kernel_access(reinterpret_cast<void*>(a.at), a.size, 0);
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> fills{0};
  return ++fills & 0xffffffff;
}

CUresult launch(CUfunction function, CUdeviceptr at, std::size_t size, std::uint64_t block,
                CUstream stream) {
  std::uint64_t number = next_number();
  void* arguments[] = {&at, &size, &block, &number};
  return cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, arguments, nullptr);
}

}  // namespace

void register_kernels() {
  simcuda_register_kernel("fill", run_fill, kSizes, 4);
  simcuda_register_kernel("check", run_check, kSizes, 4);
  simcuda_register_kernel_accesses("fill", says_write, kSizes, 4);
  simcuda_register_kernel_accesses("check", says_read, kSizes, 4);
}

Kernels::Kernels() {
  if (cuModuleLoadData(&module_, "kernels") != CUDA_SUCCESS ||
      cuModuleGetFunction(&fill_, module_, "fill") != CUDA_SUCCESS ||
      cuModuleGetFunction(&check_, module_, "check") != CUDA_SUCCESS)
    std::fprintf(stderr, "streams: no kernels\n");
}
Kernels::~Kernels() {
  (void)cuModuleUnload(module_);
}
CUresult Kernels::fill(CUdeviceptr at, std::size_t size, std::uint64_t block,
                       CUstream stream) const {
  return launch(fill_, at, size, block, stream);
}
CUresult Kernels::check(CUdeviceptr at, std::size_t size, std::uint64_t block,
                        CUstream stream) const {
  return launch(check_, at, size, block, stream);
}

CUresult fill_by_halves(CUdeviceptr at, std::size_t size, std::uint64_t block,
                        CUresult (*set)(CUdeviceptr, unsigned, std::size_t, CUstream),
                        CUstream stream) {
  const auto number = next_number();
  CUresult result = CUDA_SUCCESS;
  each_offset(size, [&](std::uint64_t offset) {
    const auto word = mixed(block << 32 | number, offset);
    for (const unsigned half : {0U, 1U})
      if (result == CUDA_SUCCESS)
        result = set(at + offset + 4 * half, static_cast<unsigned>(word >> 32 * half), 1, stream);
  });
  return result;
}

std::string mismatches() {
  const std::lock_guard lock(mutex);
  return std::exchange(found, {});
}

}  // namespace gmlake::streams
