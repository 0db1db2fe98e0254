// What an interprocess event is to all processes that use it: how often it has been recorded, and
// which of the records is complete. Both are in a file that the processes map.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "shared_file.h"

namespace gmlake::simcuda {

class SharedEvent {
 public:
  // Null if the system does not give it.
  static std::shared_ptr<SharedEvent> make();
  // One of another process; null if it is not there any more.
  static std::shared_ptr<SharedEvent> open(pid_t process, int fd, std::uint64_t inode);
  ~SharedEvent();
  SharedEvent(const SharedEvent&) = delete;
  SharedEvent& operator=(const SharedEvent&) = delete;

  const File& file() const { return *file_; }
  std::uint64_t begin_record() { return ++state_->given; }  // its number
  std::uint64_t last_record() const { return state_->given; }
  void complete(std::uint64_t record);
  bool passed(std::uint64_t record) const { return state_->complete >= record; }
  void wait(std::uint64_t record) const;

 private:
  struct State {
    std::atomic<std::uint64_t> given;
    std::atomic<std::uint64_t> complete;
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  };
  SharedEvent(FileRef file, State* state) : file_(std::move(file)), state_(state) {}
  static std::shared_ptr<SharedEvent> map(FileRef file);

  FileRef file_;
  State* state_;
};

}  // namespace gmlake::simcuda
