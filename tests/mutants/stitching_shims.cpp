// A shim that makes blocks of any size out of equal chunks, mapped one behind the other. A chunk
// goes into its next window while the last one is still mapped, so the two are aliases for a while.
#include <list>
#include <vector>

#include "shim.h"

namespace gmlake::mutants {
namespace {

enum class Flaw { none, unmaps_too_early, busy_chunks, forgets_access };

class Stitching : public Shim {
 public:
  explicit Stitching(Flaw flaw) : flaw_(flaw) {}

  CUdeviceptr allocate(std::size_t size, CUstream stream) override {
    const std::size_t count = (size + kChunk - 1) / kChunk;
    Block& block = blocks_.emplace_back(count);
    for (std::size_t i = 0; i < count; ++i) {
      Chunk& chunk = free_chunk();
      block.chunks.push_back(&chunk);
      block.window.map(i, chunk.physical);
      // Whoever used it last may not be done.
      if (flaw_ != Flaw::busy_chunks) check(cuStreamWaitEvent(stream, chunk.freed, 0));
    }
    const std::size_t last = flaw_ == Flaw::forgets_access ? 1 : 0;
    if (count > last)
      set_access(block.window, (count - last) * kChunk, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
    return block.window;
  }

  void free(CUdeviceptr at, CUstream stream) override {
    for (Block& block : blocks_) {
      if (block.window != at) continue;
      check(cuEventRecord(block.freed, stream));
      block.retired = true;
      for (Chunk* chunk : block.chunks) {
        check(cuEventRecord(chunk->freed, stream));
        chunk->free = true;
      }
    }
    // Windows no one uses any more.
    for (auto block = blocks_.begin(); block != blocks_.end();) {
      const auto next = std::next(block);
      if (block->retired && is_complete(*block)) {
        block->window.unmap();
        blocks_.erase(block);
      }
      block = next;
    }
  }

 private:
  struct Chunk {
    Physical physical;
    Event freed;
    bool free = false;
  };
  struct Block {
    explicit Block(std::size_t count) : window(count) {}
    Window window;
    std::vector<Chunk*> chunks;
    Event freed;
    bool retired = false;
  };

  bool is_complete(const Block& block) const {
    return flaw_ == Flaw::unmaps_too_early || cuEventQuery(block.freed) == CUDA_SUCCESS;
  }
  Chunk& free_chunk() {
    for (Chunk& chunk : chunks_)
      if (chunk.free) {
        chunk.free = false;
        return chunk;
      }
    return chunks_.emplace_back();
  }

  Flaw flaw_;
  std::list<Chunk> chunks_;
  std::list<Block> blocks_;
};

ShimPtr make(Twin twin, Flaw wrong) {
  return std::make_unique<Stitching>(twin == Twin::wrong ? wrong : Flaw::none);
}

}  // namespace

ShimPtr unmaps_too_early(Twin twin) {
  return make(twin, Flaw::unmaps_too_early);
}
ShimPtr stitches_busy_chunks(Twin twin) {
  return make(twin, Flaw::busy_chunks);
}
ShimPtr forgets_the_last_access(Twin twin) {
  return make(twin, Flaw::forgets_access);
}

}  // namespace gmlake::mutants
