// Does the same with the device each time and then ends in one of the ways processes end. Figures
// of all of them are those of the first:
//
//   return exit     in order
//   quick_exit _exit exec    without what runs at exit
//   throw terminate          an exception that nobody catches
//   abort segv stack         by a fault of its own
//   wait            says "ready" and waits for whoever ends it
//   fork            a child that has used no device before uses it, and ends by _exit
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "device.h"

namespace {

// Hits of all kinds that there are on one stream, frees that are taken back and some that are not.
int use_device() {
  if (device::open() != 0) return 2;
  std::vector<void*> kept;
  for (int round = 0; round < 50; ++round)
    for (const std::size_t bytes : {std::size_t{512}, std::size_t{3} << 20, std::size_t{100000},
                                    (std::size_t{1} << 20) + 7, std::size_t{5} << 20}) {
      void* block = nullptr;
      if (device::allocate(&block, bytes + static_cast<std::size_t>(round % 3) * 4096) != 0)
        return 2;
      if (round % 10 == 0)
        kept.push_back(block);
      else if (device::release(block) != 0)
        return 2;
    }
  for (std::size_t i = 0; i < kept.size(); i += 2)
    if (device::release(kept[i]) != 0) return 2;
  return 0;
}

// Noinline, and not the last thing done: each call takes its room. That it never ends is nothing
// that a compiler may see.
[[gnu::noinline]] int no_end(volatile int* before) {
  volatile int room[1024];
  room[0] = before ? *before : 0;
  if (room[0] != 0) return 0;
  const int deeper = no_end(room);
  return deeper + room[0];
}

int in_child() {
  const pid_t child = fork();
  if (child == 0) _exit(use_device() == 0 ? 7 : 2);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string way = argc > 1 ? argv[1] : "";
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  if (way == "fork") return in_child();
  if (use_device() != 0) return 2;
  if (way == "return") return 0;
  if (way == "exit") std::exit(0);
  if (way == "quick_exit") std::quick_exit(0);
  if (way == "_exit") _exit(0);
  if (way == "exec") execl("/bin/true", "true", nullptr);
  if (way == "throw") throw std::runtime_error("nobody catches this");
  if (way == "terminate") std::terminate();
  if (way == "abort") std::abort();
  if (way == "segv")  // a sanitizer would find a null pointer before the signal does
    *static_cast<volatile int*>(
        mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) = 1;
  if (way == "stack") return no_end(nullptr);
  if (way == "wait") {
    std::puts("ready");
    std::fflush(stdout);
    for (;;) pause();
  }
  return 2;
}
