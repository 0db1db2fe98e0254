// System calls only: it runs while the process ends.
#include "stats/file_output.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/no_cancel.h"
#include "support/stderr.h"
#include "support/write_signals.h"

namespace gmlake::stats {
namespace {

constexpr mode_t kFolderMode = 0777;  // less the umask, as mkdir -p has it
constexpr mode_t kFileMode = 0666;

int make_folders_above(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1))
    if (mkdir(path.substr(0, slash).c_str(), kFolderMode) != 0 && errno != EEXIST) {
      // A file system that refuses to make what is there already says so in its own way (EROFS,
      // EACCES).
      const int error = errno;
      struct stat there {};
      if (stat(path.substr(0, slash).c_str(), &there) != 0) return error;
    }
  return 0;
}

// Renaming over a device or a pipe would remove it; /dev and /proc hold links to both.
bool must_be_written_in_place(const std::string& path) {
  if (path.starts_with("/dev/") || path.starts_with("/proc/")) return true;
  struct stat there {};
  return stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
}

bool is_stderr(std::string_view path) {
  return path == "/dev/stderr" || path == "/dev/fd/2" || path == "/proc/self/fd/2";
}

int write_and_close(int descriptor, std::string_view text) {
  const int error = write_descriptor(descriptor, text);
  if (close(descriptor) != 0 && error == 0) return errno;
  return error;
}

}  // namespace

int replace_file(const std::string& path, std::string_view text) {
  const NoCancel whole;
  if (is_stderr(path)) return write_stderr(text);
  if (must_be_written_in_place(path)) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    return descriptor < 0 ? errno : write_and_close(descriptor, text);
  }
  if (const int error = make_folders_above(path)) return error;

  // The process id keeps ranks that were told the same name from writing into each other's file.
  const std::string beside = path + "." + std::to_string(getpid()) + ".tmp";
  const int descriptor =
      open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kFileMode);
  if (descriptor < 0) return errno;
  int error = write_and_close(descriptor, text);
  if (error == 0 && std::rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) unlink(beside.c_str());
  return error;
}

std::string numbered_path(const std::string& path, int n) {
  if (n == 1 || must_be_written_in_place(path)) return path;
  const auto name = path.rfind('/') + 1;  // 0 without one
  const auto dot = path.rfind('.');
  const auto end = dot == std::string::npos || dot <= name ? path.size() : dot;
  return path.substr(0, end) + '.' + std::to_string(n) + path.substr(end);
}

}  // namespace gmlake::stats
