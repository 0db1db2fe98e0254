// Names in the folders that the system keeps: devices, and descriptors by their numbers. They are
// links to where they lead, and written in place.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace gmlake {

// Not in those of /dev that anybody may write to: there are files there as elsewhere, and links
// that others made.
inline bool is_device_path(std::string_view path) {
  constexpr std::array<std::string_view, 3> kShared{"/dev/shm/", "/dev/mqueue/", "/dev/hugepages/"};
  const auto under = [&](std::string_view folder) { return path.starts_with(folder); };
  return (under("/dev/") || under("/proc/")) && std::none_of(kShared.begin(), kShared.end(), under);
}

}  // namespace gmlake
