// The addresses in a call that gives work to a stream (work_table.h): what it reads and writes, as
// far as it can be device memory. By the types of its arguments; a number that only looks like an
// address is told as well. Of memory of before CUDA 3.2 none is told: its addresses have 32 bits.
#pragma once

#include <cstddef>
#include <type_traits>

#include <cuda.h>

namespace gmlake::hooks {

// Most arguments are no address.
template <typename Visit, typename Argument>
void each_address_of(const Visit&, const Argument&) {}
template <typename Visit>
void each_address_of(const Visit& visit, CUdeviceptr at) {
  visit(at);
}
template <typename Visit>
void each_address_of(const Visit& visit, void* at) {
  visit(reinterpret_cast<CUdeviceptr>(at));
}
template <typename Visit>
void each_address_of(const Visit& visit, const void* at) {
  visit(reinterpret_cast<CUdeviceptr>(at));
}

template <typename Visit, typename Box>
void each_address_in(const Visit& visit, const Box& box) {
  const auto in = [&](CUmemorytype type, CUdeviceptr at) {
    if (type == CU_MEMORYTYPE_DEVICE || type == CU_MEMORYTYPE_UNIFIED) visit(at);
  };
  in(box.srcMemoryType, box.srcDevice);
  in(box.dstMemoryType, box.dstDevice);
}
template <typename Visit>
void each_address_of(const Visit& visit, const CUDA_MEMCPY2D* box) {
  if (box) each_address_in(visit, *box);
}
template <typename Visit>
void each_address_of(const Visit& visit, const CUDA_MEMCPY3D* box) {
  if (box) each_address_in(visit, *box);
}
template <typename Visit>
void each_address_of(const Visit& visit, const CUDA_MEMCPY3D_PEER* box) {
  if (box) each_address_in(visit, *box);
}

template <typename Visit, typename... Args>
void each_address(const Visit& visit, Args... args) {
  (each_address_of(visit, args), ...);
}
// Batches of copies.
template <typename Visit, typename... Rest>
void each_address(const Visit& visit, CUdeviceptr* to, CUdeviceptr* from, std::size_t*,
                  std::size_t count, CUmemcpyAttributes*, Rest...) {
  for (std::size_t i = 0; to && from && i < count; ++i) visit(to[i]), visit(from[i]);
}
template <typename Visit, typename... Rest>
void each_address(const Visit& visit, std::size_t count, CUDA_MEMCPY3D_BATCH_OP* copies, Rest...) {
  const auto in = [&](const CUmemcpy3DOperand& side) {
    if (side.type == CU_MEMCPY_OPERAND_TYPE_POINTER) visit(side.op.ptr.ptr);
  };
  for (std::size_t i = 0; copies && i < count; ++i) in(copies[i].src), in(copies[i].dst);
}

// Whether it copies or sets no bytes: the last number of bytes, elements or rows says how many.
inline bool touches_nothing() {
  return false;
}
template <typename First, typename... Rest>
bool touches_nothing(const First& first, const Rest&... rest) {
  if constexpr (requires { first->WidthInBytes; })
    return !first || first->WidthInBytes == 0 || first->Height == 0;
  else if constexpr (std::is_same_v<First, std::size_t> &&
                     !(std::is_same_v<Rest, std::size_t> || ...))
    return first == 0;
  else
    return touches_nothing(rest...);
}

}  // namespace gmlake::hooks
