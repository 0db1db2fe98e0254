// A free-list allocator for the nodes of std containers: once warm, inserting and erasing call no
// malloc.
//
// Not thread-safe: a container and its slab are guarded by the pool's lock. Memory goes back when
// the slab goes.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace gmlake::memory {

class Slab {
 public:
  void* take(std::size_t size) {
    if (size_ == 0) size_ = size < sizeof(Free) ? sizeof(Free) : size;
    if (!free_) refill();
    Free* node = free_;
    free_ = node->next;
    return node;
  }
  void put(void* p) { free_ = new (p) Free{free_}; }

 private:
  struct Free {
    Free* next;
  };
  void refill() {
    constexpr std::size_t kNodes = 128;
    blocks_.push_back(
        std::make_unique<std::max_align_t[]>(size_ * kNodes / sizeof(std::max_align_t) + 1));
    auto* base = reinterpret_cast<std::byte*>(blocks_.back().get());
    for (std::size_t i = 0; i < kNodes; ++i) put(base + i * size_);
  }

  std::size_t size_ = 0;  // of one node, set by the first
  Free* free_ = nullptr;
  std::vector<std::unique_ptr<std::max_align_t[]>> blocks_;
};

// Allocates single nodes from a Slab shared by all its copies; anything else (a hash table's
// buckets) from new.
template <typename T>
class SlabAllocator {
 public:
  using value_type = T;
  // NOLINTBEGIN(bugprone-sizeof-expression): T may be a pointer, a hash table's bucket
  SlabAllocator() : slab_(std::make_shared<Slab>()) {}
  template <typename U>
  SlabAllocator(const SlabAllocator<U>& other)  // NOLINT(google-explicit-constructor): rebinding
      : slab_(sizeof(U) == sizeof(T) ? other.slab() : std::make_shared<Slab>()) {}

  T* allocate(std::size_t n) {
    if (n != 1) return static_cast<T*>(::operator new(n * sizeof(T)));
    return static_cast<T*>(slab_->take(sizeof(T)));
  }
  // NOLINTEND(bugprone-sizeof-expression)
  void deallocate(T* p, std::size_t n) {
    if (n != 1) return ::operator delete(p);
    slab_->put(p);
  }
  const std::shared_ptr<Slab>& slab() const { return slab_; }
  friend bool operator==(const SlabAllocator& a, const SlabAllocator& b) {
    return a.slab_ == b.slab_;
  }

 private:
  std::shared_ptr<Slab> slab_;
};

}  // namespace gmlake::memory
