#include "stats/mapped_page.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/futex.h"

namespace gmlake::stats {

MappedPage::MappedPage(const std::string& path)
    : file_(open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) {
  struct stat there {};
  if (file_ < 0 || fstat(file_, &there) != 0 || !S_ISREG(there.st_mode) ||
      there.st_uid != geteuid() || there.st_size < static_cast<off_t>(live::kSegment))
    return;
  void* at = mmap(nullptr, live::kSegment, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (at != MAP_FAILED) header_ = static_cast<live::Header*>(at);
}

MappedPage::~MappedPage() {
  if (header_) (void)munmap(header_, live::kSegment);
  if (file_ >= 0) (void)close(file_);
}

bool MappedPage::lock() {
  return flock(file_, LOCK_EX) == 0;
}

std::uint32_t MappedPage::ring() {
  const auto number = header_->bell.fetch_add(1) + 1;
  wake_all(header_->bell);
  return number;
}

}  // namespace gmlake::stats
