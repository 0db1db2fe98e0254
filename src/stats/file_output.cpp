// System calls only: it runs while the process ends.
#include "stats/file_output.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/device_path.h"
#include "support/no_cancel.h"
#include "support/stderr.h"
#include "support/write_signals.h"

namespace gmlake::stats {
namespace {

constexpr mode_t kFolderMode = 0777;  // less the umask, as mkdir -p has it
constexpr mode_t kFileMode = 0666;

// Renaming over a device or a pipe would remove it; /dev and /proc hold links to both.
bool must_be_written_in_place(const std::string& path) {
  if (is_device_path(path)) return true;
  struct stat there {};
  return stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
}

// A pipe that nobody reads from is no place to wait at: without a reader it is an error at once.
int write_in_place(const std::string& path, std::string_view text) {
  struct stat there {};
  if (stat(path.c_str(), &there) == 0 && S_ISBLK(there.st_mode)) return EPERM;
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0) return errno;
  // It may be another one by now.
  int error = fstat(file, &there) == 0 ? 0 : errno;
  if (error == 0 && S_ISBLK(there.st_mode)) error = EPERM;
  if (error == 0) error = write_bounded(file, text);
  (void)close(file);
  return error;
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

// A new file of a name that nobody could know before: whoever shares the folder may have made any
// other one, and would own what is written there.
int open_beside(const std::string& path, std::string& beside) {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    std::uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
      random = static_cast<unsigned>(getpid());
    char end[32];
    (void)std::snprintf(end, sizeof end, ".%016llx.tmp", static_cast<unsigned long long>(random));
    beside = path + end;
    const int file =
        open(beside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode);
    if (file >= 0 || errno != EEXIST) return file;
  }
  return -1;
}

int replace_file(const std::string& path, std::string_view text) {
  const NoCancel whole;
  if (is_stderr(path)) return write_stderr(text);
  if (must_be_written_in_place(path)) return write_in_place(path, text);
  if (const int error = make_folders_above(path)) return error;

  std::string beside;
  const int descriptor = open_beside(path, beside);
  if (descriptor < 0) return errno;
  struct stat before {};
  if (stat(path.c_str(), &before) == 0) (void)fchmod(descriptor, before.st_mode & kFileMode);
  int error = write_and_close(descriptor, text);
  if (error == 0 && std::rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) unlink(beside.c_str());
  return error;
}

std::string inserted_in_name(const std::string& path, const std::string& word) {
  const auto name = path.rfind('/') + 1;  // 0 without one
  const auto dot = path.rfind('.');
  const auto end = dot == std::string::npos || dot <= name ? path.size() : dot;
  return path.substr(0, end) + '.' + word + path.substr(end);
}

std::string numbered_path(const std::string& path, int n) {
  if (n == 1 || must_be_written_in_place(path)) return path;
  return inserted_in_name(path, std::to_string(n));
}

}  // namespace gmlake::stats
