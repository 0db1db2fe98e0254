// Ends in one of the untidy ways programs end, with device memory still allocated. Exit status 0 in
// all of them.
//
//   live        returns from main with live blocks
//   destructor  frees a block in the destructor of a static object, after exit() has begun
//   thread      a thread that is not the main one calls exit() while main waits
//   quick       calls _exit(): nothing at exit runs
//   fork        forks after using the device; the child ends by exit() without touching it
//   child       forks while other threads use the device; the children try to use it, and say what
//               they are told
//   exec        runs another program, which inherits the environment, and waits for it
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "device.h"

namespace {

struct FreesAtExit {
  void* block = nullptr;
  ~FreesAtExit() {
    // CUDA may be gone already and say so; what matters is that the process still ends as it
    // should.
    if (block != nullptr) (void)device::release(block);
  }
};
FreesAtExit frees_at_exit;

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// The first child says what it was told; that the others end at all is what matters. They are many,
// because a lock that some thread holds is never given back in one.
int fork_while_in_use(void* block) {
  constexpr int kChildren = 100;
  constexpr unsigned kSeconds = 20;
  std::atomic<bool> done{false};
  std::thread busy([&] {
    void* mine = nullptr;
    if (device::open() != 0) std::exit(2);
    while (!done)
      if (device::allocate(&mine, 4096) != 0 || device::release(mine) != 0) std::exit(2);
  });
  int wrong = 0;
  for (int i = 0; i < kChildren && wrong == 0; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(kSeconds);
      void* other = nullptr;
      const int freed = device::release(block);
      const int allocated = device::allocate(&other, 4096);
      if (i == 0) std::printf("child: free %d, allocate %d\n", freed, allocated);
      std::fflush(stdout);
      _exit(7);
    }
    wrong = wait_for(child) == 7 ? 0 : 2;
  }
  done = true;
  busy.join();
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  std::string way = argc == 2 ? argv[1] : "";
  if (way == "seven") return 7;
  if (device::open() != 0) return 2;
  void* block = nullptr;
  for (std::size_t mib : {1, 5, 3}) {
    if (device::allocate(&block, mib << 20) != 0) return 2;
  }
  if (way == "live") return 0;
  if (way == "destructor") {
    frees_at_exit.block = block;
    return 0;
  }
  if (way == "thread") {
    std::thread([] {
      void* mine = nullptr;
      if (device::open() != 0 || device::allocate(&mine, 4096) != 0) std::exit(2);
      std::exit(0);
    }).detach();
    for (;;) pause();
  }
  if (way == "quick") _exit(0);
  if (way == "fork") {
    pid_t child = fork();
    if (child == 0) std::exit(7);
    return wait_for(child) == 7 ? 0 : 2;
  }
  if (way == "child") return fork_while_in_use(block);
  if (way == "exec") {
    // Itself: no other program runs with the thread sanitizer in front.
    const pid_t child = fork();
    if (child == 0) (void)execl("/proc/self/exe", argv[0], "seven", nullptr);
    return wait_for(child) == 7 ? 0 : 2;
  }
  std::fputs("usage: leaky_exit live|destructor|thread|quick|fork|child|exec\n", stderr);
  return 2;
}
