// ipc::Memory over memory files: a handle is one, exported it is a descriptor of it. Counts what is
// left, and how often the driver would have been called.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>

#include "ipc/memory.h"

namespace gmlake::ipc {

class MemoryFiles final : public Memory {
 public:
  driver::Handle create() {
    const std::lock_guard lock(mutex_);
    handles_[++last_] = memfd_create("handle", MFD_CLOEXEC);
    return last_;
  }

  Result<int> export_handle(driver::Handle handle) override {
    const std::lock_guard lock(mutex_);
    const auto found = handles_.find(handle);
    if (found == handles_.end()) return fail(1, "export");
    ++exported;
    return fcntl(found->second, F_DUPFD_CLOEXEC, 0);
  }
  Result<driver::Handle> import_handle(int descriptor) override {
    if (fails_to_import) return fail(2, "import");
    const std::lock_guard lock(mutex_);
    handles_[++last_] = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    ++imported;
    return last_;
  }
  void release(driver::Handle handle) override {
    const std::lock_guard lock(mutex_);
    const auto found = handles_.find(handle);
    close(found->second);
    handles_.erase(found);
  }
  Result<driver::Address> map(const std::vector<driver::Physical>& handles) override {
    const std::lock_guard lock(mutex_);
    const auto at = next_;
    for (const auto& one : handles) next_ += one.size;
    ++mapped;
    last_mapped = handles;
    return at;
  }
  void unmap(driver::Address, Bytes) override { --mapped; }
  void wait(driver::Context) override { ++waits; }

  std::size_t handles() const {
    const std::lock_guard lock(mutex_);
    return handles_.size();
  }
  // Whether two handles, maybe of two devices, are the same memory.
  static bool same(const MemoryFiles& a, driver::Handle x, const MemoryFiles& b, driver::Handle y) {
    return a.inode(x) == b.inode(y);
  }

  std::atomic<int> exported{0}, imported{0}, mapped{0}, waits{0};
  std::atomic<bool> fails_to_import{false};
  std::vector<driver::Physical> last_mapped;

 private:
  long inode(driver::Handle handle) const {
    const std::lock_guard lock(mutex_);
    struct stat status {};
    fstat(handles_.at(handle), &status);
    return static_cast<long>(status.st_ino);
  }

  mutable std::mutex mutex_;
  driver::Handle last_ = 0;
  driver::Address next_ = driver::Address{1} << 40;
  std::map<driver::Handle, int> handles_;
};

}  // namespace gmlake::ipc
