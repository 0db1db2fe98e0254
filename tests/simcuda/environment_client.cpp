// A program that uses the driver and says how it went; environment_test.cpp runs it with various
// SIMCUDA_*.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "driver.h"
#include "simcuda.h"

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

// One of each kind of finding, and a status of its own.
int be_wrong(const std::string& how) {
  const auto& d = driver();
  if (how == "race") {
    CUstream streams[2];
    CUdeviceptr at = 0;
    d.cuMemAlloc_v2(&at, 4096);
    for (CUstream& stream : streams) {
      d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
      d.cuMemsetD8Async(at, 0, 4096, stream);
    }
    d.cuMemFree_v2(at);
    for (const CUstream stream : streams) d.cuStreamDestroy_v2(stream);
  } else if (how == "kernel") {  // which reads what is not there
    CUmodule module = nullptr;
    CUfunction kernel = nullptr;
    static CUdeviceptr at = 0;
    d.cuMemAlloc_v2(&at, 4096);
    d.find<decltype(simcuda_register_kernel_accesses)>("simcuda_register_kernel_accesses")(
        "kernel",
        [](simcuda_dim3, simcuda_dim3, void**) {
          driver().find<decltype(simcuda_kernel_access)>("simcuda_kernel_access")(
              reinterpret_cast<void*>(at), 4097, 0);
        },
        nullptr, 0);
    d.cuModuleLoadData(&module, "any");
    d.cuModuleGetFunction(&kernel, module, "kernel");
    d.cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
    d.cuMemFree_v2(at);
  } else if (how == "refused") {
    d.cuMemFree_v2(4096);
  } else {
    CUdeviceptr at = 0;
    CUevent event = nullptr;
    CUstream stream = nullptr;
    CUmemGenericAllocationHandle handle = 0;
    const auto properties = gmlake::simcuda::test::device_memory();
    d.cuEventCreate(&event, CU_EVENT_DEFAULT);
    d.cuStreamCreate(&stream, CU_STREAM_DEFAULT);
    d.cuMemAllocAsync(&at, 5000, stream);
    d.cuMemAddressReserve(&at, 2 << 20, 0, 0, 0);
    d.cuMemCreate(&handle, 2 << 20, &properties, 0);
    d.cuMemMap(at, 2 << 20, 0, handle, 0);
    void* pinned = nullptr;
    d.cuMemAllocHost_v2(&pinned, 1);
    return 3;
  }
  d.cuDevicePrimaryCtxRelease_v2(0);
  return 3;
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
  if (std::strncmp(what, "wrong-", 6) == 0) return be_wrong(what + 6);
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
