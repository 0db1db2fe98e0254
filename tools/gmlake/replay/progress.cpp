#include "replay/progress.h"

#include <algorithm>
#include <csignal>
#include <iostream>

#include <spdlog/fmt/fmt.h>

#include <unistd.h>

#include "support/printable.h"

namespace gmlake::replay {
namespace {

volatile std::sig_atomic_t is_interrupted = 0;

constexpr std::chrono::milliseconds kStep{100};
constexpr std::size_t kLongest = 40;  // of a name, so that all of it stays one line

// The end of a name tells files apart.
std::string end_of(std::string_view name) {
  return printable(name.substr(name.size() - std::min(name.size(), kLongest)));
}

}  // namespace

Interrupt::Interrupt() {
  is_interrupted = 0;
  struct sigaction before {};
  // Who was started with it ignored is not to be is_interrupted.
  if (sigaction(SIGINT, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = [](int) { is_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  (void)sigaction(SIGINT, &action, nullptr);
}

Interrupt::~Interrupt() {
  struct sigaction now {};
  if (sigaction(SIGINT, nullptr, &now) == 0 && now.sa_handler != SIG_IGN)
    (void)std::signal(SIGINT, SIG_DFL);
}

bool Interrupt::came() {
  return is_interrupted != 0;
}

Progress::Progress(std::string_view trace, unsigned loops, std::size_t events)
    : trace_(end_of(trace)),
      loops_(loops),
      events_(events),
      shown_(isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now() + kStep) {}

void Progress::at(unsigned loop, std::size_t event) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kStep;
  std::cerr << fmt::format("\r\x1b[K{}: loop {} of {}, {:.0f} %", trace_, loop + 1, loops_,
                           100.0 * static_cast<double>(event) / static_cast<double>(events_))
            << std::flush;
}

Progress::~Progress() {
  if (shown_) std::cerr << "\r\x1b[K" << std::flush;
}

}  // namespace gmlake::replay
