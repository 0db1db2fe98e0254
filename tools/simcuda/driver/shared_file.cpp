#include "shared_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "config.h"

namespace gmlake::simcuda {
namespace {

constexpr char kFileMagic[16] = "simcuda memory1";
constexpr int kSeals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

// Devices have the numbers below; 19 bits are for use (places.cpp).
unsigned next_space() {
  static std::atomic<unsigned> count{0};
  return kMaxDevices + count.fetch_add(1) % ((1U << 19) - kMaxDevices);
}

// A device has no limit of descriptors: where the process has one, it is raised as far as it may.
int make_memfd() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = memfd_create("simcuda-shared", kFlags);
  rlimit limit{};
  if (fd >= 0 || errno != EMFILE || getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
      limit.rlim_cur >= limit.rlim_max)
    return fd;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? memfd_create("simcuda-shared", kFlags) : -1;
}

}  // namespace

File::File(int descriptor) : fd(descriptor), space(next_space()) {
  struct stat status {};
  if (fstat(fd, &status) == 0) inode = status.st_ino;
}
File::~File() {
  if (fd >= 0) close(fd);
}

FileRef make_file(FileKind kind, Bytes size, const CUmemAllocationProp& properties) {
  const int fd = make_memfd();
  if (fd < 0) return nullptr;
  const auto file = std::make_shared<File>(fd);
  Label& label = file->label;
  std::memcpy(label.magic, kFileMagic, sizeof kFileMagic);
  label.kind = kind;
  label.size = size;
  label.properties = properties;
  const auto end = static_cast<off_t>(size);
  if (ftruncate(fd, end + static_cast<off_t>(kPage)) != 0 ||
      pwrite(fd, &label, sizeof label, end) != sizeof label || fcntl(fd, F_ADD_SEALS, kSeals) != 0)
    return nullptr;
  return file;
}

FileRef open_file(int fd, FileKind kind) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return nullptr;
  const auto file = std::make_shared<File>(own);
  struct stat status {};
  if (fstat(own, &status) != 0 || fcntl(own, F_GET_SEALS) != kSeals) return nullptr;
  const off_t end = status.st_size - static_cast<off_t>(kPage);
  Label& label = file->label;
  if (end <= 0 || pread(own, &label, sizeof label, end) != sizeof label) return nullptr;
  const bool fits = std::memcmp(label.magic, kFileMagic, sizeof kFileMagic) == 0 &&
                    label.kind == kind && label.size == static_cast<Bytes>(end);
  return fits ? file : nullptr;
}

int export_file(const File& file) {
  return fcntl(file.fd, F_DUPFD_CLOEXEC, 0);
}

}  // namespace gmlake::simcuda
