// Rows with a made-up but plausible clock; see recorder.h.
#include "trace/generate/recorder.h"

namespace gmlake::trace::generate {

std::uint64_t Recorder::allocated(Bytes bytes, std::uint64_t stream) {
  // Two microseconds to launch, and to write the block at about 1 TB/s.
  time_ += 2 + (bytes >> 20U);
  writer_.row(Kind::allocate, 0, time_, pointer(blocks_), bytes, stream);
  return blocks_++;
}

void Recorder::freed(std::uint64_t block, Bytes bytes, std::uint64_t stream) {
  if (stopped_) return;
  writer_.row(Kind::free, 0, ++time_, pointer(block), bytes, stream);
}

void Recorder::ordered(Kind kind, std::uint64_t event, std::uint64_t stream) {
  writer_.row(kind, 0, ++time_, event, 0, stream);
}

}  // namespace gmlake::trace::generate
