// Forks while other threads are in the middle of whatever they do. CUDA does not survive that, but
// a child may go on in all other ways, and ends.
//
//   forked beside   other threads allocate and free, record events and make and end streams
//   forked logging  another thread is in the middle of a message, which nobody reads
//   forked before   CUDA has not begun; the children begin with it, the parent's threads as well
//   forked first    the same, each child with the first calls of several threads at once
//
// A child calls CUDA, says that it is wrong, and exits, or runs another program. Prints how many
// ended, and what the first was told.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

constexpr unsigned kSeconds = 20;
using Malloc = void* (*)(std::size_t, int, cudaStream_t);

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::fflush(stdout);
  ::_exit(1);
}
#define CHECK(call) check(#call, call)

std::atomic<bool> over{false};
std::atomic<bool> busy{false};  // whoever makes a thread is held up
Malloc by_name() {
  return reinterpret_cast<Malloc>(dlsym(RTLD_DEFAULT, "gmlake_malloc"));
}
// A request for which the library has a message, if it is there: there is no such device.
void ask_for_a_message() {
  if (by_name()) (void)by_name()(4096, 63, nullptr);
}

void use_memory(unsigned which) {
  for (unsigned i = which; !over; ++i) {
    void* block = nullptr;
    cudaStream_t stream = nullptr;
    cudaEvent_t event = nullptr;
    CHECK(cudaStreamCreate(&stream));
    CHECK(cudaMallocAsync(&block, std::size_t{4096} << i % 13, stream));
    CHECK(cudaEventCreate(&event));
    CHECK(cudaEventRecord(event, stream));
    CHECK(cudaFreeAsync(block, stream));
    CHECK(cudaEventDestroy(event));
    CHECK(cudaStreamDestroy(stream));
    if (i % 16 == 0) ask_for_a_message();
  }
}

// Threads that come while the first of them is in its first call: what each is given is its to give
// back.
int begin_in_turn() {
  constexpr int kThreads = 12, kRounds = 20;
  constexpr std::chrono::microseconds kApart(300);
  std::barrier all(kThreads + 1);
  std::atomic<int> refused{0};
  const auto take_and_give = [&](int which) {
    all.arrive_and_wait();
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < which * kApart) std::this_thread::yield();
    for (int i = 0; i < kRounds; ++i) {
      void* block = nullptr;
      if (cudaMalloc(&block, 1 << 20) != 0 || cudaFree(block) != 0) ++refused;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(take_and_give, i);
  busy = true;
  all.arrive_and_wait();
  for (auto& thread : threads) thread.join();
  return refused == 0 ? 0 : 96;
}

// In the child; its messages are nobody's.
int live_on(int number, bool begins) {
  alarm(kSeconds);
  const int nowhere = open("/dev/null", O_WRONLY);
  if (nowhere < 0 || dup2(nowhere, STDERR_FILENO) < 0) return 99;
  void* block = nullptr;
  ask_for_a_message();
  const int result = cudaMalloc(&block, 1 << 20);
  if (result == 0 && cudaFree(block) != 0) return 98;
  if (number % 3 == 1) execl("/bin/true", "true", static_cast<char*>(nullptr));
  if (begins != (result == 0)) return 97;
  if (number % 3 == 2) ::_exit(0);
  std::exit(0);
}

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*body)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (busy) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return create(thread, attributes, body, argument);
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const bool first = mode == "first", before = mode == "before" || first;
  const int children = mode == "logging" ? 3 : 60;
  if (!before) CHECK(cudaFree(nullptr));
  std::vector<std::thread> others;
  if (mode == "logging") {
    std::thread(ask_for_a_message).detach();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  for (unsigned i = 0; mode == "beside" && i < 3; ++i) others.emplace_back(use_memory, i);
  int ended = 0;
  for (int i = 0; i < children; ++i) {
    const pid_t child = fork();
    if (child == 0) ::_exit(first ? begin_in_turn() : live_on(i, before));
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child ? 0 : 1);
    if (status == 0)
      ++ended;
    else
      std::printf("child %d: status %#x\n", i, static_cast<unsigned>(status));
  }
  over = true;
  for (auto& other : others) other.join();
  std::printf("ended %d of %d\n", ended, children);
  std::fflush(stdout);
  ::_exit(0);
}
