// What orders work and what does not, and what a finding says. A finding follows from the calls, so
// nothing here depends on when work runs.
#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

using testing::Test;

class Checks : public DeviceTest {
 protected:
  static constexpr std::size_t kBytes = 4096;

  Checks() { setenv("SIMCUDA_CHECKS", "order,memory,handles", 1); }
  void SetUp() override {
    DeviceTest::SetUp();
    const std::size_t sizes[] = {sizeof(CUdeviceptr), sizeof(std::size_t), sizeof(int)};
    simcuda.accesses(
        "touch",
        [](simcuda_dim3, simcuda_dim3, void** arguments) {
          simcuda.kernel_access(*static_cast<void**>(arguments[0]),
                                *static_cast<std::size_t*>(arguments[1]),
                                *static_cast<int*>(arguments[2]));
        },
        sizes, 3);
    ASSERT_EQ(d.cuModuleLoadData(&module_, "any"), CUDA_SUCCESS);
    ASSERT_EQ(d.cuModuleGetFunction(&touch_, module_, "touch"), CUDA_SUCCESS);
    a = make_stream();
    b = make_stream();
    ASSERT_EQ(d.cuMemAlloc_v2(&at, kBytes), CUDA_SUCCESS);
    simcuda.forget();
  }
  // A context that a finding has broken ends here, too; what was provoked is not the process's.
  void TearDown() override {
    d.cuModuleUnload(module_);
    EXPECT_EQ(d.cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
    d.cuCtxSetCurrent(nullptr);
    simcuda.forget();
  }

  CUresult touch(CUdeviceptr from, std::size_t size, int write, CUstream stream) {
    void* arguments[] = {&from, &size, &write};
    return d.cuLaunchKernel(touch_, 1, 1, 1, 1, 1, 1, 0, stream, arguments, nullptr);
  }
  void write(CUdeviceptr from, CUstream stream, std::size_t size = kBytes) {
    EXPECT_EQ(touch(from, size, 1, stream), CUDA_SUCCESS);
  }
  void read(CUdeviceptr from, CUstream stream, std::size_t size = kBytes) {
    EXPECT_EQ(touch(from, size, 0, stream), CUDA_SUCCESS);
  }
  void order(CUstream earlier, CUstream later) {
    const CUevent edge = make_event(CU_EVENT_DISABLE_TIMING);
    EXPECT_EQ(d.cuEventRecord(edge, earlier), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamWaitEvent(later, edge, 0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventDestroy_v2(edge), CUDA_SUCCESS);
  }
  unsigned long long id(CUstream stream) {
    unsigned long long value = 0;
    EXPECT_EQ(d.cuStreamGetId(stream, &value), CUDA_SUCCESS);
    return value;
  }
  CUdeviceptr map(CUmemGenericAllocationHandle handle) {
    const CUdeviceptr window = reserve(kChunk);
    const auto access = read_write();
    EXPECT_EQ(d.cuMemMap(window, kChunk, 0, handle, 0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemSetAccess(window, kChunk, &access, 1), CUDA_SUCCESS);
    return window;
  }
  void unmap(CUdeviceptr window) {
    EXPECT_EQ(d.cuMemUnmap(window, kChunk), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemAddressFree(window, kChunk), CUDA_SUCCESS);
  }

  // How many there were since the last time, and what the first of them said.
  unsigned long long found() {
    const auto count = simcuda.findings();
    char buffer[1024] = "";
    simcuda.finding(0, buffer, sizeof buffer);
    text = buffer;
    simcuda.forget();
    return count;
  }

  struct Simcuda {
    decltype(&simcuda_findings) findings = symbol<decltype(simcuda_findings)>("simcuda_findings");
    decltype(&simcuda_finding) finding = symbol<decltype(simcuda_finding)>("simcuda_finding");
    decltype(&simcuda_forget_findings) forget =
        symbol<decltype(simcuda_forget_findings)>("simcuda_forget_findings");
    decltype(&simcuda_host_access) host_access =
        symbol<decltype(simcuda_host_access)>("simcuda_host_access");
    decltype(&simcuda_kernel_access) kernel_access =
        symbol<decltype(simcuda_kernel_access)>("simcuda_kernel_access");
    decltype(&simcuda_register_kernel_accesses) accesses =
        symbol<decltype(simcuda_register_kernel_accesses)>("simcuda_register_kernel_accesses");

    template <typename Function>
    static Function* symbol(const char* name) {
      return driver().find<Function>(name);
    }
  };
  static const Simcuda simcuda;

  CUstream a = nullptr;
  CUstream b = nullptr;
  CUdeviceptr at = 0;
  std::string text;

 private:
  CUmodule module_ = nullptr;
  CUfunction touch_ = nullptr;
};
const Checks::Simcuda Checks::simcuda;

TEST_F(Checks, ARaceNamesBothOperationsAndWhereTheyMeet) {
  ASSERT_EQ(d.cuMemsetD8Async(at, 1, 200, a), CUDA_SUCCESS);
  read(at + 100, b, 300);
  EXPECT_EQ(found(), 1U);
  const std::regex expected(
      fmt::format(R"(\[order\] no order between cuLaunchKernel \(call (\d+)\) in stream {}, )"
                  R"(which reads {:#x} to {:#x}, and before it cuMemsetD8Async \(call (\d+)\) )"
                  R"(in stream {}, which writes {:#x} to {:#x}: )"
                  R"(physical bytes 0x([0-9a-f]+) to 0x([0-9a-f]+))",
                  id(b), at + 100, at + 400, id(a), at, at + 200));
  std::smatch parts;
  ASSERT_TRUE(std::regex_match(text, parts, expected)) << text;
  EXPECT_EQ(std::stoull(parts[1]), std::stoull(parts[2]) + 1);  // the calls, one after the other
  EXPECT_EQ(std::stoull(parts[4], nullptr, 16) - std::stoull(parts[3], nullptr, 16), 100U);
}

TEST_F(Checks, TwoReadsAreNoRace) {
  read(at, a);
  read(at, b);
  EXPECT_EQ(found(), 0U) << text;
  write(at, b);  // behind its own read, not behind the other
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find("which reads"), std::string::npos) << text;
}

TEST_F(Checks, NeighboursAreNoRace) {
  write(at, a, 100);
  write(at + 100, b, 100);
  EXPECT_EQ(found(), 0U) << text;
}

TEST_F(Checks, AnEventOrdersWhatItsRecordComesBehind) {
  write(at, a);
  order(a, b);
  write(at, b);
  EXPECT_EQ(found(), 0U) << text;
  write(at, a);
  EXPECT_EQ(found(), 1U);
}

TEST_F(Checks, AWaitKeepsTheRecordItFound) {
  const CUevent event = make_event();
  write(at, a);
  ASSERT_EQ(d.cuEventRecord(event, a), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamWaitEvent(b, event, 0), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventRecord(event, make_stream()), CUDA_SUCCESS);
  write(at, b);
  EXPECT_EQ(found(), 0U) << text;
  const CUstream late = make_stream();
  ASSERT_EQ(d.cuStreamWaitEvent(late, event, 0), CUDA_SUCCESS);
  write(at, late);
  EXPECT_EQ(found(), 1U);
}

TEST_F(Checks, OrderGoesOnOverSeveralStreams) {
  const CUstream c = make_stream();
  write(at, a);
  order(a, b);
  order(b, c);
  write(at, c);
  EXPECT_EQ(found(), 0U) << text;
}

TEST_F(Checks, TheLegacyStreamOrdersBlockingStreamsOnly) {
  const CUstream one = make_stream(CU_STREAM_DEFAULT);
  const CUstream other = make_stream(CU_STREAM_DEFAULT);
  write(at, one);
  write(at, nullptr);
  write(at, other);
  EXPECT_EQ(found(), 0U) << text;
  write(at, one);  // not behind `other`
  EXPECT_EQ(found(), 1U);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  write(at, a);
  write(at, nullptr);
  EXPECT_EQ(found(), 1U);
}

TEST_F(Checks, WhatTheHostSawCompleteIsBehindIt) {
  const CUevent event = make_event();
  const auto wait = [&](int how) {
    switch (how) {
      case 0:
        return d.cuStreamSynchronize(a);
      case 1:
        return d.cuCtxSynchronize();
      case 2:
        EXPECT_EQ(d.cuEventRecord(event, a), CUDA_SUCCESS);
        return d.cuEventSynchronize(event);
      case 3:
        while (d.cuStreamQuery(a) != CUDA_SUCCESS) std::this_thread::yield();
        return CUDA_SUCCESS;
      default:
        EXPECT_EQ(d.cuCtxRecordEvent(context, event), CUDA_SUCCESS);
        while (d.cuEventQuery(event) != CUDA_SUCCESS) std::this_thread::yield();
        return CUDA_SUCCESS;
    }
  };
  for (int how = 0; how < 5; ++how) {
    write(at, a);
    EXPECT_EQ(wait(how), CUDA_SUCCESS);
    write(at, b);
    EXPECT_EQ(d.cuStreamSynchronize(b), CUDA_SUCCESS);
    EXPECT_EQ(found(), 0U) << how << ": " << text;
  }
}

TEST_F(Checks, ADestroyedStreamsWorkIsWaitedForWithTheContext) {
  const CUstream gone = make_stream();
  write(at, gone);
  ASSERT_EQ(d.cuStreamDestroy_v2(gone), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  write(at, a);
  EXPECT_EQ(found(), 0U) << text;
  const CUstream going = make_stream();
  order(a, going);
  write(at, going);
  ASSERT_EQ(d.cuStreamDestroy_v2(going), CUDA_SUCCESS);
  write(at, make_stream());  // it may even have the handle
  EXPECT_EQ(found(), 1U);
}

// The flag is set before the function has returned: the program may be faster than that.
TEST_F(Checks, AHostFunctionMayTellTheProgram) {
  void* pinned = nullptr;
  ASSERT_EQ(d.cuMemAllocHost_v2(&pinned, kBytes), CUDA_SUCCESS);
  for (int i = 0; i < 300; ++i) {
    std::atomic<bool> done{false};
    ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(pinned, at, kBytes, a), CUDA_SUCCESS);
    ASSERT_EQ(d.cuLaunchHostFunc(
                  a, [](void* flag) { *static_cast<std::atomic<bool>*>(flag) = true; }, &done),
              CUDA_SUCCESS);
    while (!done) {
    }
    simcuda.host_access(pinned, kBytes, 1);
    ASSERT_EQ(d.cuStreamSynchronize(a), CUDA_SUCCESS);
  }
  EXPECT_EQ(found(), 0U) << text;
  EXPECT_EQ(d.cuMemFreeHost(pinned), CUDA_SUCCESS);
}

TEST_F(Checks, WhatAHostFunctionTouchesIsItsStreams) {
  void* pinned = nullptr;
  ASSERT_EQ(d.cuMemAllocHost_v2(&pinned, kBytes), CUDA_SUCCESS);
  const auto reader = [](void* from) { simcuda.host_access(from, kBytes, 0); };
  ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(pinned, at, kBytes, a), CUDA_SUCCESS);
  ASSERT_EQ(d.cuLaunchHostFunc(a, reader, pinned), CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(a), CUDA_SUCCESS);
  EXPECT_EQ(found(), 0U) << text;
  ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(pinned, at, kBytes, a), CUDA_SUCCESS);
  ASSERT_EQ(d.cuLaunchHostFunc(b, reader, pinned), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find("cuLaunchHostFunc"), std::string::npos) << text;
  // It touches when it runs, which may be when what comes behind it has long been given.
  {
    Gate gate(a);
    ASSERT_EQ(d.cuLaunchHostFunc(a, reader, pinned), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(pinned, at, kBytes, a), CUDA_SUCCESS);
    order(a, b);
    ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(pinned, at, kBytes, b), CUDA_SUCCESS);
  }
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(found(), 0U) << text;
  EXPECT_EQ(d.cuMemFreeHost(pinned), CUDA_SUCCESS);
}

TEST_F(Checks, PinnedMemoryIsCheckedAndPageableSourcesAreStaged) {
  void* pinned = nullptr;
  ASSERT_EQ(d.cuMemAllocHost_v2(&pinned, kBytes), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(at, pinned, kBytes, a), CUDA_SUCCESS);
  simcuda.host_access(pinned, kBytes, 0);
  EXPECT_EQ(found(), 0U) << text;
  simcuda.host_access(pinned, kBytes, 1);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find(fmt::format("host memory {:#x}", reinterpret_cast<std::uintptr_t>(pinned))),
            std::string::npos)
      << text;
  std::vector<char> pageable(kBytes);
  ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(at, pageable.data(), kBytes, a), CUDA_SUCCESS);
  simcuda.host_access(pageable.data(), kBytes, 1);
  EXPECT_EQ(found(), 0U) << text;
  EXPECT_EQ(d.cuMemFreeHost(pinned), CUDA_SUCCESS);
}

TEST_F(Checks, TwoWindowsOfAHandleAreTheSameBytes) {
  const auto handle = create(kChunk);
  const CUdeviceptr first = map(handle);
  const CUdeviceptr second = map(handle);
  write(first, a);
  write(second + 100, b, 50);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find(fmt::format("{:#x} to {:#x}", second + 100, second + 150)), std::string::npos)
      << text;
  EXPECT_NE(text.find(fmt::format("{:#x} to {:#x}", first, first + kBytes)), std::string::npos)
      << text;
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  unmap(first);
  unmap(second);
  EXPECT_EQ(found(), 0U) << text;
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
}

TEST_F(Checks, OneOperationMayNotUseABytesTwoAddresses) {
  const auto handle = create(kChunk);
  const CUdeviceptr first = map(handle);
  const CUdeviceptr second = map(handle);
  ASSERT_EQ(d.cuMemcpyDtoDAsync_v2(first, second + 1024, 1024, a), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemcpyDtoDAsync_v2(first, first, 1024, a), CUDA_SUCCESS);  // in place: one address
  EXPECT_EQ(found(), 0U) << text;
  ASSERT_EQ(d.cuMemcpyDtoDAsync_v2(first, second + 1000, 1024, a), CUDA_SUCCESS);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find(fmt::format("uses the same bytes at {:#x} and at {:#x}", first + 1000,
                                  second + 1000)),
            std::string::npos)
      << text;
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  unmap(first);
  unmap(second);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
}

TEST_F(Checks, UnmappingComesBehindEveryUser) {
  const auto handle = create(kChunk);
  const CUdeviceptr window = map(handle);
  write(window, a);
  write(window + kBytes, b);
  ASSERT_EQ(d.cuStreamSynchronize(a), CUDA_SUCCESS);
  unmap(window);
  EXPECT_EQ(found(), 1U);
  const std::regex expected(
      fmt::format(R"(\[order\] cuMemUnmap \(call \d+\) unmaps {:#x} with no order behind )"
                  R"(cuLaunchKernel \(call \d+\) in stream {}, which writes {:#x} to {:#x})",
                  window, id(b), window + kBytes, window + 2 * kBytes));
  EXPECT_TRUE(std::regex_match(text, expected)) << text;
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
}

TEST_F(Checks, WriteAccessIsTakenFromWritersOnly) {
  const auto handle = create(kChunk);
  const CUdeviceptr window = map(handle);
  auto access = read_write();
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READ;
  read(window, a);
  ASSERT_EQ(d.cuMemSetAccess(window, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(found(), 0U) << text;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;  // the reader has not been forgotten
  ASSERT_EQ(d.cuMemSetAccess(window, kChunk, &access, 1), CUDA_SUCCESS);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find("takes all access away from"), std::string::npos) << text;
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  unmap(window);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
}

TEST_F(Checks, StreamOrderedMemoryBeginsAndEndsInItsStream) {
  CUdeviceptr block = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&block, kBytes, a), CUDA_SUCCESS);
  order(a, b);
  write(block, b);
  order(b, a);
  ASSERT_EQ(d.cuMemFreeAsync(block, a), CUDA_SUCCESS);
  EXPECT_EQ(found(), 0U) << text;

  ASSERT_EQ(d.cuMemAllocAsync(&block, kBytes, a), CUDA_SUCCESS);
  write(block, b);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find("before it cuMemAllocAsync"), std::string::npos) << text;
  ASSERT_EQ(d.cuMemFreeAsync(block, a), CUDA_SUCCESS);
  EXPECT_EQ(found(), 1U);
  EXPECT_NE(text.find(fmt::format("frees {:#x} with no order behind cuLaunchKernel", block)),
            std::string::npos)
      << text;

  // Nothing is left of the block's first life when its pages and its address come back.
  ASSERT_EQ(d.cuMemAllocAsync(&block, kBytes, b), CUDA_SUCCESS);
  write(block, b);
  ASSERT_EQ(d.cuMemFreeAsync(block, b), CUDA_SUCCESS);
  EXPECT_EQ(found(), 0U) << text;
}

TEST_F(Checks, NewMemoryHasNoPast) {
  const auto handle = create(kChunk);
  const CUdeviceptr window = map(handle);
  write(window, a);
  ASSERT_EQ(d.cuStreamSynchronize(a), CUDA_SUCCESS);
  unmap(window);
  ASSERT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  const auto next = create(kChunk);
  const CUdeviceptr again = map(next);
  write(again, b);
  ASSERT_EQ(d.cuStreamSynchronize(b), CUDA_SUCCESS);
  unmap(again);
  EXPECT_EQ(d.cuMemRelease(next), CUDA_SUCCESS);
  EXPECT_EQ(found(), 0U) << text;
}

TEST_F(Checks, AKernelPastTheEndBreaksTheContext) {
  write(at, a, kBytes);
  EXPECT_EQ(found(), 0U) << text;
  write(at + 1, a, kBytes);
  EXPECT_EQ(found(), 1U);
  EXPECT_TRUE(text.starts_with("[memory] cuLaunchKernel")) << text;
  EXPECT_NE(text.find(fmt::format("writes {:#x} to {:#x}", at + 1, at + 1 + kBytes)),
            std::string::npos)
      << text;
  EXPECT_EQ(d.cuStreamQuery(a), CUDA_ERROR_ILLEGAL_ADDRESS);
  CUdeviceptr more = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&more, kBytes), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST_F(Checks, RefusedCallsAreFindingsWithTheirHandle) {
  const CUstream gone = make_stream();
  ASSERT_EQ(d.cuStreamDestroy_v2(gone), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(gone), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(found(), 1U);
  EXPECT_TRUE(text.starts_with("[handles] cuStreamQuery")) << text;
  EXPECT_TRUE(text.ends_with(fmt::format("{:#x}", reinterpret_cast<std::uintptr_t>(gone)))) << text;
  EXPECT_EQ(d.cuMemFree_v2(at + 16), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemcpyDtoDAsync_v2(at, at + kBytes - 8, 16, a), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(found(), 2U);
}

TEST_F(Checks, OfManyFindingsOfAKindAFewAreKept) {
  for (int i = 0; i < 10; ++i) {
    write(at, a);
    write(at, b);
  }
  char buffer[16];
  EXPECT_EQ(simcuda.findings(), 19U);
  EXPECT_GT(simcuda.finding(0, buffer, sizeof buffer), sizeof buffer);
  EXPECT_STREQ(buffer, "[order] no orde");
  EXPECT_NE(simcuda.finding(3, nullptr, 0), 0U);
  EXPECT_EQ(simcuda.finding(4, nullptr, 0), 0U);
  EXPECT_EQ(found(), 19U);
  EXPECT_EQ(simcuda.findings(), 0U);
}

}  // namespace
}  // namespace gmlake::simcuda::test
