// A program that uses the driver and says how it went; environment_test.cpp runs it with various
// SIMCUDA_*.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "driver.h"

namespace {

using gmlake::simcuda::test::driver;

void block_for_ever(void*) {
  for (;;) pause();
}

CUcontext start() {
  CUcontext context = nullptr;
  std::printf("init %d\n", driver().cuInit(0));
  driver().cuDevicePrimaryCtxRetain(&context, 0);
  driver().cuCtxSetCurrent(context);
  return context;
}

void allocate(int times) {
  for (int i = 0; i < times; ++i) {
    CUdeviceptr at = 0;
    std::printf("alloc %d\n", driver().cuMemAlloc_v2(&at, 4096));
  }
}

struct LateUser {
  ~LateUser() {
    CUdeviceptr at = 0;
    std::printf("late %d\n", driver().cuMemAlloc_v2(&at, 4096));
  }
};

int fork_and_report() {
  const pid_t child = fork();
  if (child == 0) {
    CUdeviceptr at = 0;
    std::printf("child alloc %d\n", driver().cuMemAlloc_v2(&at, 4096));
    std::printf("child init %d\n", driver().cuInit(0));
    return 0;
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::printf("child exited %d\n", WIFEXITED(status) && WEXITSTATUS(status) == 0);
  allocate(1);
  return 0;
}

}  // namespace

int main(int, char** arguments) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  const char* what = arguments[1];
  if (std::strcmp(what, "late") == 0)
    static LateUser user;  // destroyed after the driver's exit handler
  start();
  if (std::strcmp(what, "allocate") == 0) allocate(6);
  if (std::strcmp(what, "fork") == 0) return fork_and_report();
  if (std::strcmp(what, "pending") == 0) {
    std::vector<CUstream> streams(8);
    for (auto& stream : streams) {
      driver().cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
      driver().cuLaunchHostFunc(stream, block_for_ever, nullptr);
    }
    std::thread([stream = streams[0]] { driver().cuStreamSynchronize(stream); }).detach();
  }
  if (std::strcmp(what, "unbacked") == 0) {
    CUdeviceptr at = 0;
    const std::size_t size = std::size_t{64} << 30;
    std::printf("alloc %d\n", driver().cuMemAlloc_v2(&at, size));
    std::printf("set %d\n", driver().cuMemsetD8_v2(at, 1, size));
    std::printf("too much %d\n", driver().cuMemAlloc_v2(&at, size));
  }
  return 0;
}
