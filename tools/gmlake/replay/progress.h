// How far a replay is, on a terminal; and Ctrl-C, which ends it there with what it has.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace gmlake::replay {

// While there is one, the first SIGINT is kept; a second does what it does without.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  static bool came();
};

// One line on stderr that is written over, some times a second, and gone in the end. Nothing where
// stderr is no terminal.
class Progress {
 public:
  Progress(std::string_view trace, unsigned loops, std::size_t events);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(unsigned loop, std::size_t event);

 private:
  const std::string trace_;
  const unsigned loops_;
  const std::size_t events_;
  const bool shown_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace gmlake::replay
