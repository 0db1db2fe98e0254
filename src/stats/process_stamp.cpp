#include "stats/process_stamp.h"

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gmlake::stats {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t now(clockid_t clock) {
  timespec time{};
  (void)clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kSecond +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

// proc(5), /proc/pid/stat: the state is the 3rd field, the start the 22nd; the 2nd, in brackets,
// may hold anything.
std::optional<ProcessStamp> stamp_of(pid_t process) {
  const auto path = "/proc/" + std::to_string(process) + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[1024];
  const auto length = read(file, text, sizeof text);
  (void)close(file);
  if (length <= 0) return {};
  const std::string_view line(text, static_cast<std::size_t>(length));
  auto at = line.rfind(')');
  if (at == std::string_view::npos || at + 2 >= line.size()) return {};
  ProcessStamp stamp;
  at += 2;
  stamp.ended = line[at] == 'Z' || line[at] == 'X';
  for (int field = 3; field < 22; ++field) {
    at = line.find(' ', at);
    if (at == std::string_view::npos) return {};
    ++at;
  }
  while (at < line.size() && line[at] >= '0' && line[at] <= '9')
    stamp.start = stamp.start * 10 + static_cast<std::uint64_t>(line[at++] - '0');
  return stamp;
}

std::uint64_t pid_namespace() {
  struct stat there {};
  return stat("/proc/self/ns/pid", &there) == 0 ? there.st_ino : 0;
}

// Ticks are rounded down: a whole one is added.
std::uint64_t started_at(const ProcessStamp& stamp) {
  const auto ticks = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  return now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME) + (stamp.start + 1) * (kSecond / ticks);
}

std::uint64_t nanoseconds_since_1970() {
  return now(CLOCK_REALTIME);
}
std::uint64_t monotonic_nanoseconds() {
  return now(CLOCK_MONOTONIC);
}

std::vector<std::string> page_folders() {
  std::vector<std::string> folders{"/dev/shm/gmlake-" + std::to_string(geteuid())};
  const char* runtime = secure_getenv("XDG_RUNTIME_DIR");
  if (runtime && *runtime == '/') folders.push_back(std::string(runtime) + "/gmlake");
  return folders;
}

// In a folder where anybody may make one of that name, this one must be ours.
bool prepare_page_folder(const std::string& folder) {
  constexpr mode_t kOwn = 0700, kOthers = 0077;
  if (mkdir(folder.c_str(), kOwn) != 0 && errno != EEXIST) return false;
  struct stat there {};
  return lstat(folder.c_str(), &there) == 0 && S_ISDIR(there.st_mode) &&
         there.st_uid == geteuid() && (there.st_mode & kOthers) == 0;
}

}  // namespace gmlake::stats
