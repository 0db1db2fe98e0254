// Which process one is, told apart from all that had or will have its number: by when it was
// started and which processes it can see.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace gmlake::stats {

struct ProcessStamp {
  std::uint64_t start = 0;  // the kernel's ticks since it was booted
  bool ended = false;       // it has, and nobody has asked how
};
// Nothing if there is no such process.
std::optional<ProcessStamp> stamp_of(pid_t process);
// Of this process; 0 where the system does not say.
std::uint64_t pid_namespace();
// When a process of that stamp was started, in nanoseconds since 1970, never too early.
std::uint64_t started_at(const ProcessStamp& stamp);
std::uint64_t nanoseconds_since_1970();
std::uint64_t monotonic_nanoseconds();

// Folders where processes of this user leave their pages, those that are there or can be: each is
// this user's own, and nobody else can write there.
std::vector<std::string> page_folders();
// Makes it, if it is not there. False if it is not fit.
bool prepare_page_folder(const std::string& folder);

}  // namespace gmlake::stats
