#include "trace/stacks.h"

namespace gmlake::trace {

std::uint32_t Stacks::frame(std::string_view file, std::string_view name, std::uint64_t line) {
  const auto next = static_cast<std::uint32_t>(frames_.size());
  const auto [entry, fresh] =
      known_frames_.try_emplace({std::string(file), std::string(name), line}, next);
  if (fresh) frames_.push_back({std::string(file), std::string(name), line});
  return entry->second;
}

std::uint32_t Stacks::stack(const std::vector<std::uint32_t>& frames) {
  const auto next = static_cast<std::uint32_t>(stacks_.size());
  const auto [entry, fresh] = known_stacks_.try_emplace(frames, next);
  if (fresh) stacks_.push_back(frames);
  return entry->second;
}

}  // namespace gmlake::trace
