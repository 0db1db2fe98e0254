// The generator's memory: tensors that write a row when they come and when the last reference goes.
//
// One thread. A Recorder must outlive its tensors and its writer must stay open meanwhile.
#pragma once

#include <cstdint>
#include <memory>

#include "trace/csv_writer.h"

namespace gmlake::trace::generate {

class Recorder {
 public:
  explicit Recorder(CsvWriter& writer) : writer_(writer) {}

  std::uint64_t allocated(Bytes bytes, std::uint64_t stream);
  void freed(std::uint64_t block, Bytes bytes, std::uint64_t stream);
  // A CUDA event is recorded on the stream, or waited for.
  void ordered(Kind kind, std::uint64_t event, std::uint64_t stream);
  // From now on frees are not written: what is live stays live in the trace.
  void stop() { stopped_ = true; }

 private:
  // A pointer names a block; it says nothing of its place. Distinct for every block of the trace.
  static std::uint64_t pointer(std::uint64_t block) { return (block + 1) << 9U; }

  CsvWriter& writer_;
  std::uint64_t time_ = 0, blocks_ = 0;
  bool stopped_ = false;
};

// A block of device memory, shared by reference. Empty by default.
class Tensor {
 public:
  Tensor() = default;
  Tensor(Recorder& recorder, Bytes bytes, std::uint64_t stream)
      : block_(std::make_shared<const Block>(recorder, bytes, stream)) {}
  explicit operator bool() const { return block_ != nullptr; }
  Bytes bytes() const { return block_ ? block_->bytes : 0; }
  bool unique() const { return block_.use_count() == 1; }
  void drop() { block_.reset(); }

 private:
  struct Block {
    Block(Recorder& to, Bytes size, std::uint64_t on)
        : recorder(to), bytes(size), stream(on), number(to.allocated(size, on)) {}
    ~Block() { recorder.freed(number, bytes, stream); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    Recorder& recorder;
    Bytes bytes;
    std::uint64_t stream, number;
  };
  std::shared_ptr<const Block> block_;
};

}  // namespace gmlake::trace::generate
