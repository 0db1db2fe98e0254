// Shims that keep what is freed, give it back in a way of their own, or cut it out of a slab.
#include <list>
#include <map>

#include "shim.h"

namespace gmlake::mutants {
namespace {

// Freed memory serves later allocations with the same key, without waiting.
class Keyed : public Shim {
 public:
  using Key = unsigned long long (*)(CUstream);
  explicit Keyed(Key key) : key_(key) {}

  CUdeviceptr allocate(std::size_t size, CUstream stream) override {
    for (Block& block : blocks_) {
      if (!block.free || block.size < size || block.key != key_(stream)) continue;
      block.free = false;
      return block.buffer;
    }
    return blocks_.emplace_back(size).buffer;
  }
  void free(CUdeviceptr at, CUstream stream) override {
    for (Block& block : blocks_)
      if (block.buffer == at) {
        block.free = true;
        block.key = key_(stream);
      }
  }

 private:
  struct Block {
    explicit Block(std::size_t bytes) : size(bytes), buffer(bytes) {}
    std::size_t size;
    Buffer buffer;
    bool free = false;
    unsigned long long key = 0;
  };
  Key key_;
  std::list<Block> blocks_;
};

unsigned long long id_of(CUstream stream) {
  unsigned long long id = 0;
  check(cuStreamGetId(stream, &id));
  return id;
}
unsigned long long handle_of(CUstream stream) {
  return reinterpret_cast<unsigned long long>(stream);
}
unsigned long long none(CUstream) {
  return 0;
}

// Freed memory serves any stream once an event says that its last use is complete.
class Evented : public Shim {
 public:
  enum class Flaw { none, asks_before_recording, wrong_stream, one_event };
  explicit Evented(Flaw flaw) : flaw_(flaw) {}

  CUdeviceptr allocate(std::size_t size, CUstream stream) override {
    for (Block& block : blocks_) {
      if (!block.free || block.size < size) continue;
      if (!block.complete) block.complete = is_complete(block);
      if (!block.complete) continue;
      block.free = false;
      block.stream = stream;
      return block.buffer;
    }
    return blocks_.emplace_back(size, stream).buffer;
  }
  void free(CUdeviceptr at, CUstream stream) override {
    for (Block& block : blocks_) {
      if (block.buffer != at) continue;
      block.free = true;
      if (flaw_ == Flaw::asks_before_recording) block.complete = is_complete(block);
      check(cuEventRecord(event_of(block), flaw_ == Flaw::wrong_stream ? block.stream : stream));
      if (flaw_ != Flaw::asks_before_recording) block.complete = is_complete(block);
    }
  }

 private:
  struct Block {
    Block(std::size_t bytes, CUstream user) : size(bytes), buffer(bytes), stream(user) {}
    std::size_t size;
    Buffer buffer;
    Event event;
    CUstream stream;  // of its allocation
    bool free = false;
    bool complete = false;
  };
  CUevent event_of(const Block& block) const {
    return flaw_ == Flaw::one_event ? shared_ : block.event;
  }
  bool is_complete(const Block& block) const {
    return cuEventQuery(event_of(block)) == CUDA_SUCCESS;
  }

  Flaw flaw_;
  Event shared_;
  std::list<Block> blocks_;
};

// The driver's own stream-ordered memory.
class Direct : public Shim {
 public:
  explicit Direct(bool at_once) : at_once_(at_once) {}
  CUdeviceptr allocate(std::size_t size, CUstream stream) override {
    CUdeviceptr at = 0;
    check(cuMemAllocAsync(&at, size, stream));
    return at;
  }
  void free(CUdeviceptr at, CUstream stream) override {
    check(at_once_ ? cuMemFree(at) : cuMemFreeAsync(at, stream));
  }

 private:
  bool at_once_;
};

// Blocks side by side in a slab, never used twice.
class Slab : public Shim {
 public:
  explicit Slab(bool rounds_down) : rounds_down_(rounds_down), slab_(kBytes) {}
  CUdeviceptr allocate(std::size_t size, CUstream) override {
    constexpr std::size_t kAlignment = 256;
    const CUdeviceptr at = slab_ + used_;
    used_ += (size + (rounds_down_ ? 0 : kAlignment - 1)) / kAlignment * kAlignment;
    if (used_ > kBytes) check(CUDA_ERROR_OUT_OF_MEMORY);
    return at;
  }
  void free(CUdeviceptr, CUstream) override {}

 private:
  static constexpr std::size_t kBytes = 32 << 20;
  bool rounds_down_;
  std::size_t used_ = 0;
  Buffer slab_;
};

Evented::Flaw flaw(Twin twin, Evented::Flaw wrong) {
  return twin == Twin::wrong ? wrong : Evented::Flaw::none;
}

}  // namespace

ShimPtr across_streams(Twin twin) {
  return std::make_unique<Keyed>(twin == Twin::wrong ? none : id_of);
}
ShimPtr keyed_by_handle(Twin twin) {
  return std::make_unique<Keyed>(twin == Twin::wrong ? handle_of : id_of);
}
ShimPtr asks_before_recording(Twin twin) {
  return std::make_unique<Evented>(flaw(twin, Evented::Flaw::asks_before_recording));
}
ShimPtr records_on_the_wrong_stream(Twin twin) {
  return std::make_unique<Evented>(flaw(twin, Evented::Flaw::wrong_stream));
}
ShimPtr one_event_for_all(Twin twin) {
  return std::make_unique<Evented>(flaw(twin, Evented::Flaw::one_event));
}
ShimPtr frees_at_once(Twin twin) {
  return std::make_unique<Direct>(twin == Twin::wrong);
}
ShimPtr overlapping_blocks(Twin twin) {
  return std::make_unique<Slab>(twin == Twin::wrong);
}

}  // namespace gmlake::mutants
