// What a snapshot says beside allocations and frees, for pictures: stacks, the memory that PyTorch
// had taken from the device, and allocations that failed.
#pragma once

#include <optional>
#include <unordered_map>

#include "trace/pickle.h"
#include "trace/trace.h"

namespace gmlake::trace {

// A number that is not negative.
std::optional<std::uint64_t> whole(Pickle::Value value);

class SnapshotBeside {
 public:
  // `events` are those of the trace's device.
  SnapshotBeside(Pickle::Value events, Pickle::Value segments, bool stacks, Trace& trace);
  // For each allocation, in order.
  void allocated(Pickle::Value frames);
  // For each event that is neither an allocation nor a free.
  void other(Pickle::Value event, std::uint64_t time);

 private:
  std::uint32_t stack_of(Pickle::Value frames);
  void level(std::uint64_t time);

  const bool stacks_;
  Trace& trace_;
  std::uint64_t reserved_ = 0;
  // By the numbers of their values: most are shown many times.
  std::unordered_map<std::uint32_t, std::uint32_t> frames_, stacks_of_lists_;
};

}  // namespace gmlake::trace
