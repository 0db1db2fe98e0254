// Streams and contexts by handle, which the program may end in one thread while another is about to
// call the device with what it has looked up before. Such a call is made only between enter() and
// exit(): one that is ending refuses to be entered, and ends when nobody is in it any more. One
// that has ended since the moment of the look-up refuses as well, though its handle may be
// another's now.
//
// Not thread-safe: the owner guards it with its lock.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gmlake::stream {

class Endings {
 public:
  Endings() {  // or it could throw where something is entered already
    inside_.reserve(kLast);
    ending_.reserve(kLast);
  }

  // A count of those that have ended. To be taken before the look-up.
  using Moment = std::uint64_t;
  Moment now() const { return ended_; }

  bool may_enter(const void* handle, Moment looked_up) const {
    return !is_ending(handle) && !has_ended_since(looked_up, handle);
  }
  void enter(const void* handle) {
    if (auto* one = find(handle))
      ++one->users;
    else
      inside_.push_back({handle, 1});
  }
  // Whether somebody waits for that.
  bool exit(const void* handle) {
    auto* const one = find(handle);
    if (--one->users != 0) return false;
    *one = inside_.back();
    inside_.pop_back();
    return is_ending(handle);
  }
  bool is_entered(const void* handle) { return find(handle) != nullptr; }

  // It is about to end; it has not; it has, whether it was said before or not.
  void begin(const void* handle) { ending_.push_back(handle); }
  void cancel(const void* handle) {
    const auto found = std::find(ending_.begin(), ending_.end(), handle);
    if (found != ending_.end()) ending_.erase(found);
  }
  void end(const void* handle) {
    last_[ended_++ % kLast] = handle;
    cancel(handle);
  }
  bool is_ending(const void* handle) const {
    return std::find(ending_.begin(), ending_.end(), handle) != ending_.end();
  }

 private:
  static constexpr std::size_t kLast = 64;  // what is older is taken to name any handle
  struct Inside {
    const void* handle;
    unsigned users;
  };
  Inside* find(const void* handle) {
    const auto found = std::find_if(inside_.begin(), inside_.end(),
                                    [&](const Inside& one) { return one.handle == handle; });
    return found == inside_.end() ? nullptr : &*found;
  }
  bool has_ended_since(Moment looked_up, const void* handle) const {
    if (ended_ - looked_up > kLast) return true;
    for (auto n = looked_up; n != ended_; ++n)
      if (last_[n % kLast] == handle) return true;
    return false;
  }

  std::vector<Inside> inside_;  // a few for each thread that is in a call
  std::vector<const void*> ending_;
  std::array<const void*, kLast> last_{};
  Moment ended_ = 0;
};

}  // namespace gmlake::stream
