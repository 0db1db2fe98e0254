// Device memory put together from physical handles, as the pool's blocks are, for the programs in
// this folder. Not thread-safe.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "driver.h"

namespace gpu {

inline constexpr std::size_t kChunk = std::size_t{2} << 20;

inline CUmemAllocationProp device_memory(int device = 0) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.location.id = device;
  return properties;
}

inline CUresult create(CUmemGenericAllocationHandle* handle, std::size_t bytes, int device = 0) {
  const CUmemAllocationProp properties = device_memory(device);
  return driver().cuMemCreate_(handle, bytes, &properties, 0);
}

inline CUresult set_access(CUdeviceptr at, std::size_t bytes, int device = 0) {
  CUmemAccessDesc access{};
  access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  access.location.id = device;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  return driver().cuMemSetAccess_(at, bytes, &access, 1);
}

// Physical handles of one size. Released at the end, whoever still maps them.
class Handles {
 public:
  Handles(std::size_t count, std::size_t bytes_each, int device = 0) : bytes_each_(bytes_each) {
    for (std::size_t i = 0; i < count; ++i) {
      CUmemGenericAllocationHandle handle = 0;
      if (const CUresult code = create(&handle, bytes_each, device); code != CUDA_SUCCESS) {
        release();
        throw Failure("cuMemCreate", code);
      }
      list_.push_back(handle);
    }
  }
  Handles(Handles&& other) noexcept
      : bytes_each_(other.bytes_each_), list_(std::exchange(other.list_, {})) {}
  ~Handles() { release(); }

  std::size_t bytes_each() const { return bytes_each_; }
  std::vector<CUmemGenericAllocationHandle>& list() { return list_; }
  const std::vector<CUmemGenericAllocationHandle>& list() const { return list_; }

 private:
  void release() {
    for (auto handle : list_) (void)driver().cuMemRelease_(handle);
    list_.clear();
  }
  std::size_t bytes_each_;
  std::vector<CUmemGenericAllocationHandle> list_;
};

// A reserved range, and what has been mapped into it, unmapped at the end.
class Range {
 public:
  explicit Range(std::size_t bytes, CUdeviceptr hint = 0) : bytes_(bytes) {
    GPU(cuMemAddressReserve_(&at_, bytes, 0, hint, 0));
  }
  Range(Range&& other) noexcept
      : at_(std::exchange(other.at_, 0)),
        bytes_(other.bytes_),
        mapped_(std::exchange(other.mapped_, {})) {}
  ~Range() {
    if (at_ == 0) return;
    for (const auto& [offset, bytes] : mapped_) (void)driver().cuMemUnmap_(at_ + offset, bytes);
    (void)driver().cuMemAddressFree_(at_, bytes_);
  }

  CUdeviceptr at() const { return at_; }
  std::size_t bytes() const { return bytes_; }

  void map(std::size_t offset, std::size_t bytes, CUmemGenericAllocationHandle handle) {
    GPU(cuMemMap_(at_ + offset, bytes, 0, handle, 0));
    mapped_.emplace_back(offset, bytes);
  }
  void map_all(const Handles& handles) {
    std::size_t offset = 0;
    for (auto handle : handles.list()) {
      map(offset, handles.bytes_each(), handle);
      offset += handles.bytes_each();
    }
  }
  // For what a probe unmaps by itself.
  void forget_mappings() { mapped_.clear(); }

 private:
  CUdeviceptr at_ = 0;
  std::size_t bytes_;
  std::vector<std::pair<std::size_t, std::size_t>> mapped_;
};

// A readable and writable block of `pieces` handles.
class Block {
 public:
  explicit Block(std::size_t pieces, std::size_t bytes_each = kChunk, int device = 0)
      : handles_(pieces, bytes_each, device), range_(pieces * bytes_each) {
    range_.map_all(handles_);
    check(set_access(range_.at(), range_.bytes(), device), "cuMemSetAccess");
  }
  // Of handles made elsewhere, in their order.
  explicit Block(Handles&& handles)
      : handles_(std::move(handles)), range_(handles_.list().size() * handles_.bytes_each()) {
    range_.map_all(handles_);
    check(set_access(range_.at(), range_.bytes()), "cuMemSetAccess");
  }
  CUdeviceptr at() const { return range_.at(); }
  std::size_t bytes() const { return range_.bytes(); }
  const Handles& handles() const { return handles_; }
  Range& range() { return range_; }

  // Another address for all of this block's bytes. It must not outlive what it shows.
  Range window() const {
    Range range(bytes());
    range.map_all(handles_);
    check(set_access(range.at(), range.bytes()), "cuMemSetAccess");
    return range;
  }

 private:
  Handles handles_;
  Range range_;
};

}  // namespace gpu
