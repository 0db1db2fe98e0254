// Where a program asked for its memory: the frames of each allocation, each kept once.
//
// A recording has as many stacks as allocations and few that differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace gmlake::trace {

struct Frame {
  std::string file, name;
  std::uint64_t line = 0;
};

class Stacks {
 public:
  static constexpr std::size_t kDeepest = 256;  // of a deeper one the innermost frames

  bool empty() const { return stacks_.size() < 2; }
  // The frame's number, the same for the same frame.
  std::uint32_t frame(std::string_view file, std::string_view name, std::uint64_t line);
  // The number of these frames, the innermost first; 0 for none.
  std::uint32_t stack(const std::vector<std::uint32_t>& frames);
  // Of the allocation that follows those that were given one.
  void give(std::uint32_t stack) { of_.push_back(stack); }

  const std::vector<Frame>& frames() const { return frames_; }
  const std::vector<std::vector<std::uint32_t>>& stacks() const { return stacks_; }
  std::uint32_t of(std::size_t allocation) const {
    return allocation < of_.size() ? of_[allocation] : 0;
  }

 private:
  std::vector<Frame> frames_;
  std::vector<std::vector<std::uint32_t>> stacks_{{}};
  std::vector<std::uint32_t> of_;  // by ordinal of the allocation
  std::map<std::tuple<std::string, std::string, std::uint64_t>, std::uint32_t> known_frames_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> known_stacks_{{{}, 0}};
};

}  // namespace gmlake::trace
