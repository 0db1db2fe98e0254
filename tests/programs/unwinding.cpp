// Frames of the program's own that are left in all ways while it uses CUDA, with memory to give
// back on the way: an exception, pthread_exit, and a thread that is cancelled.
//
//   unwinding throw|exit|cancel
//
// Prints what was left and what was freed, which is to be the same with and without the library.
#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "device.h"

namespace {

constexpr int kRounds = 20;
constexpr std::size_t kBytes = std::size_t{3} << 20;

std::atomic<int> taken{0}, freed{0}, failed{0};

class Block {
 public:
  explicit Block(std::size_t bytes) {
    if (device::allocate(&at_, bytes) != 0) throw std::runtime_error("no memory");
    ++taken;
  }
  ~Block() {
    int before = 0;  // nobody may be cancelled in a destructor
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    ++(device::release(at_) == 0 ? freed : failed);
    pthread_setcancelstate(before, nullptr);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  void* at_ = nullptr;
};

[[gnu::noinline]] void leave(int depth, void (*how)()) {
  const Block block(kBytes);
  if (depth == 0) how();
  if (depth > 0) leave(depth - 1, how);
}

void by_exception() {
  try {
    leave(5, [] { throw std::out_of_range("left"); });
  } catch (const std::out_of_range&) {
  }
  try {
    const Block impossible(std::size_t{1} << 60);
  } catch (const std::runtime_error&) {
  }
}

void* by_exit(void*) {
  leave(5, [] { pthread_exit(&taken); });
  return nullptr;
}

std::atomic<bool> ready{false};
void* until_cancelled(void*) {
  const Block block(kBytes);
  for (;;) {
    const Block another(kBytes);
    ready = true;
    pthread_testcancel();
  }
}

int in_threads(void* (*body)(void*), bool cancelled) {
  int as_told = 0;
  for (int i = 0; i < kRounds; ++i) {
    pthread_t thread{};
    void* result = nullptr;
    ready = false;
    if (pthread_create(&thread, nullptr, body, nullptr) != 0) return 1;
    while (cancelled && !ready) std::this_thread::yield();
    if (cancelled && pthread_cancel(thread) != 0) return 1;
    if (pthread_join(thread, &result) != 0) return 1;
    if (result == (cancelled ? PTHREAD_CANCELED : &taken)) ++as_told;
  }
  std::printf("left as told: %d\n", as_told);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  int code = device::open();
  if (code == 0 && how == "throw")
    for (int i = 0; i < kRounds; ++i) by_exception();
  else if (code == 0 && how == "exit")
    code = in_threads(by_exit, false);
  else if (code == 0 && how == "cancel")
    code = in_threads(until_cancelled, true);
  else
    code = 2;
  // How often a thread goes round before it is cancelled is chance.
  if (how == "cancel")
    std::printf("all freed: %d, failed %d\n", taken == freed, failed.load());
  else
    std::printf("taken %d, freed %d, failed %d\n", taken.load(), freed.load(), failed.load());
  return code;
}
