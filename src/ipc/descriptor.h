// File descriptors of the library's own: closed with their owner, at an exec, and in a forked
// child, where another process would otherwise seem to live on through them.
#pragma once

#include <utility>

namespace gmlake::ipc {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number);  // negative: none
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }

  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

// In a forked child: closes all there are. No lock, no allocation.
void close_descriptors_after_fork();

}  // namespace gmlake::ipc
