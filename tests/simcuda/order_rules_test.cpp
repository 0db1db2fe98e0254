// Streams, events and the lookup of functions, as a real device answers too.
#include <set>
#include <thread>

#include "driver.h"

namespace gmlake::simcuda::test {
namespace {

// One gate at a time: a real device runs the host functions of a context one after the other.
class OrderRules : public DeviceTest {
 protected:
  unsigned long long id(CUstream stream) {
    unsigned long long value = 0;
    EXPECT_EQ(d.cuStreamGetId(stream, &value), CUDA_SUCCESS);
    return value;
  }
};

TEST_F(OrderRules, StreamsAreAsynchronous) {
  const CUstream busy = make_stream();
  const CUstream other = make_stream();
  const CUevent after = make_event();
  {
    Gate gate(busy);
    EXPECT_EQ(d.cuStreamQuery(busy), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(d.cuEventRecord(after, busy), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(after), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(d.cuStreamQuery(other), CUDA_SUCCESS);
  }
  EXPECT_EQ(d.cuEventSynchronize(after), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(after), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(busy), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(busy), CUDA_SUCCESS);
}

TEST_F(OrderRules, WorkOfAStreamRunsInItsOrder) {
  const CUstream stream = make_stream();
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 4), CUDA_SUCCESS);
  void* pinned = nullptr;
  ASSERT_EQ(d.cuMemAllocHost_v2(&pinned, 4), CUDA_SUCCESS);
  auto* value = static_cast<std::uint32_t*>(pinned);
  *value = 0;
  {
    Gate gate(stream);
    for (unsigned i = 1; i <= 50; ++i)
      ASSERT_EQ(d.cuMemsetD32Async(at, i, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(d.cuMemcpyDtoHAsync_v2(value, at, 4, stream), CUDA_SUCCESS);
    EXPECT_EQ(*value, 0U);
  }
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(*value, 50U);
  EXPECT_EQ(d.cuMemFreeHost(pinned), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(OrderRules, AnAsynchronousCopyFromPageableMemoryHasTakenItsSource) {
  const CUstream stream = make_stream();
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 4), CUDA_SUCCESS);
  std::uint32_t source = 5;
  ASSERT_EQ(d.cuMemcpyHtoDAsync_v2(at, &source, 4, stream), CUDA_SUCCESS);
  source = 6;
  EXPECT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 5U);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(OrderRules, AWaitOrdersTwoStreams) {
  const CUstream first = make_stream();
  const CUstream second = make_stream();
  const CUevent edge = make_event(CU_EVENT_DISABLE_TIMING);
  const CUevent end = make_event();
  {
    Gate gate(first);
    ASSERT_EQ(d.cuEventRecord(edge, first), CUDA_SUCCESS);
    ASSERT_EQ(d.cuStreamWaitEvent(second, edge, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuEventRecord(end, second), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(end), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(d.cuStreamQuery(second), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

TEST_F(OrderRules, TheLegacyStreamOrdersBlockingStreamsOnly) {
  const CUstream blocking = make_stream(CU_STREAM_DEFAULT);
  const CUstream other = make_stream(CU_STREAM_DEFAULT);
  const CUstream exempt = make_stream(CU_STREAM_NON_BLOCKING);
  const CUevent in_legacy = make_event();
  const CUevent in_other = make_event();
  const CUevent in_exempt = make_event();
  {
    Gate gate(blocking);
    EXPECT_EQ(d.cuStreamQuery(other), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamQuery(nullptr), CUDA_ERROR_NOT_READY);
    ASSERT_EQ(d.cuEventRecord(in_legacy, nullptr), CUDA_SUCCESS);
    ASSERT_EQ(d.cuEventRecord(in_other, other), CUDA_SUCCESS);
    ASSERT_EQ(d.cuEventRecord(in_exempt, exempt), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventSynchronize(in_exempt), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(in_legacy), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(d.cuEventQuery(in_other), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(in_other), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventQuery(in_legacy), CUDA_SUCCESS);
}

TEST_F(OrderRules, AContextEventFollowsEveryStream) {
  const CUstream one = make_stream();
  const CUstream two = make_stream();
  const CUevent edge = make_event(CU_EVENT_DISABLE_TIMING);
  const CUevent all = make_event(CU_EVENT_DISABLE_TIMING);
  {
    Gate gate(one);
    ASSERT_EQ(d.cuEventRecord(edge, one), CUDA_SUCCESS);
    ASSERT_EQ(d.cuStreamWaitEvent(two, edge, 0), CUDA_SUCCESS);
    ASSERT_EQ(d.cuCtxRecordEvent(context, all), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(all), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(all), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(one), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamQuery(two), CUDA_SUCCESS);
  const CUevent foreign_use = make_event();
  CUcontext other = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&other, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxRecordEvent(other, foreign_use), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuCtxDestroy_v2(other), CUDA_SUCCESS);
}

TEST_F(OrderRules, ADestroyedStreamFinishesItsWork) {
  const CUevent end = make_event();
  {
    const CUstream stream = make_stream();
    Gate gate(stream);
    ASSERT_EQ(d.cuEventRecord(end, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventQuery(end), CUDA_ERROR_NOT_READY);
  }
  EXPECT_EQ(d.cuEventSynchronize(end), CUDA_SUCCESS);
}

TEST_F(OrderRules, IdentitiesAreNeverReused) {
  std::set<unsigned long long> seen{id(nullptr)};
  EXPECT_EQ(id(CU_STREAM_LEGACY), id(nullptr));
  for (int i = 0; i < 100; ++i) {
    const CUstream stream = make_stream();
    EXPECT_TRUE(seen.insert(id(stream)).second);
    EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  }
  unsigned long long mine = 0;
  EXPECT_EQ(d.cuStreamGetId_ptsz(nullptr, &mine), CUDA_SUCCESS);
  EXPECT_EQ(mine, id(CU_STREAM_PER_THREAD));
  EXPECT_TRUE(seen.insert(mine).second);
  unsigned long long theirs = 0;
  std::thread([&] {
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    theirs = id(CU_STREAM_PER_THREAD);
  }).join();
  EXPECT_TRUE(seen.insert(theirs).second);
}

TEST_F(OrderRules, EventsCheckTheirUse) {
  CUevent bad = nullptr;
  EXPECT_EQ(d.cuEventCreate(&bad, 0x100), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuEventCreate(&bad, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
  CUstream none = nullptr;
  EXPECT_EQ(d.cuStreamCreate(&none, 2), CUDA_ERROR_INVALID_VALUE);

  const CUstream stream = make_stream();
  const CUevent event = make_event();
  float milliseconds = 0;
  EXPECT_EQ(d.cuEventQuery(event), CUDA_SUCCESS);  // never recorded
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventElapsedTime(&milliseconds, event, event), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(d.cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL),
            CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(d.cuEventRecordWithFlags(event, stream, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, CU_EVENT_WAIT_EXTERNAL), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(d.cuStreamWaitEvent(stream, event, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuLaunchHostFunc(stream, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);

  const CUevent untimed = make_event(CU_EVENT_DISABLE_TIMING);
  ASSERT_EQ(d.cuEventRecord(untimed, stream), CUDA_SUCCESS);
  ASSERT_EQ(d.cuEventSynchronize(untimed), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventElapsedTime(&milliseconds, untimed, untimed), CUDA_ERROR_INVALID_HANDLE);
  const CUevent later = make_event();
  ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(d.cuEventRecord(later, stream), CUDA_SUCCESS);
    EXPECT_EQ(d.cuEventElapsedTime(&milliseconds, event, later), CUDA_ERROR_NOT_READY);
  }
  ASSERT_EQ(d.cuEventSynchronize(later), CUDA_SUCCESS);
  EXPECT_EQ(d.cuEventElapsedTime(&milliseconds, event, later), CUDA_SUCCESS);
  EXPECT_GE(milliseconds, 0);
}

TEST_F(OrderRules, HostFunctionsMustNotCallCuda) {
  struct Seen {
    const Driver& d;
    CUresult result = CUDA_SUCCESS;
  } seen{d};
  const CUstream stream = make_stream();
  ASSERT_EQ(d.cuLaunchHostFunc(
                stream,
                [](void* data) {
                  auto* s = static_cast<Seen*>(data);
                  std::size_t free = 0;
                  s->result = s->d.cuMemGetInfo_v2(&free, nullptr);
                },
                &seen),
            CUDA_SUCCESS);
  ASSERT_EQ(d.cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(seen.result, CUDA_ERROR_NOT_PERMITTED);
}

TEST_F(OrderRules, PerThreadVariantsUseTheCallersStream) {
  Gate gate(CU_STREAM_PER_THREAD);
  EXPECT_EQ(d.cuStreamQuery_ptsz(nullptr), CUDA_ERROR_NOT_READY);
  std::thread([&] {
    EXPECT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamQuery_ptsz(nullptr), CUDA_SUCCESS);
  }).join();
}

struct Lookup {
  CUresult result;
  void* function;
  CUdriverProcAddressQueryResult status;
};
Lookup look_up(const char* name, int version, cuuint64_t flags = CU_GET_PROC_ADDRESS_DEFAULT) {
  Lookup found{};
  found.result = driver().cuGetProcAddress_v2(name, &found.function, version, flags, &found.status);
  return found;
}
void* at(auto* function) {
  return reinterpret_cast<void*>(function);
}

TEST(LookupRules, BaseNameAndVersionChooseTheSymbol) {
  const Driver& d = driver();
  EXPECT_EQ(look_up("cuMemAlloc", 3020).function, at(d.cuMemAlloc_v2));
  EXPECT_EQ(look_up("cuMemAlloc", 12000).function, at(d.cuMemAlloc_v2));
  EXPECT_EQ(look_up("cuGetProcAddress", 11030).function, at(d.cuGetProcAddress));
  EXPECT_EQ(look_up("cuGetProcAddress", 12000).function, at(d.cuGetProcAddress_v2));
  EXPECT_EQ(look_up("cuDevicePrimaryCtxRelease", 7000).function, at(d.cuDevicePrimaryCtxRelease));
  EXPECT_EQ(look_up("cuDevicePrimaryCtxRelease", 11000).function,
            at(d.cuDevicePrimaryCtxRelease_v2));
  EXPECT_EQ(look_up("cuMemAlloc", 12000).status, CU_GET_PROC_ADDRESS_SUCCESS);
}

TEST(LookupRules, FlagsChooseTheStreamFlavour) {
  const Driver& d = driver();
  constexpr auto kPerThread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
  EXPECT_EQ(look_up("cuStreamQuery", 7000).function, at(d.cuStreamQuery));
  EXPECT_EQ(look_up("cuStreamQuery", 7000, CU_GET_PROC_ADDRESS_LEGACY_STREAM).function,
            at(d.cuStreamQuery));
  EXPECT_EQ(look_up("cuStreamQuery", 7000, kPerThread).function, at(d.cuStreamQuery_ptsz));
  EXPECT_EQ(look_up("cuMemcpyHtoD", 7000, kPerThread).function, at(d.cuMemcpyHtoD_v2_ptds));
  EXPECT_EQ(look_up("cuMemAlloc", 7000, kPerThread).function, at(d.cuMemAlloc_v2));
  EXPECT_EQ(look_up("cuStreamQuery", 2000, kPerThread).function, nullptr);
  EXPECT_EQ(look_up("cuStreamQuery", 7000, 4).result, CUDA_ERROR_INVALID_VALUE);
}

TEST(LookupRules, WhatIsNotThereIsNull) {
  for (const char* name : {"", "cuNoSuchFunction", "cuMemAlloc_v2"}) {
    const Lookup found = look_up(name, 12000);
    EXPECT_EQ(found.result, CUDA_SUCCESS) << name;
    EXPECT_EQ(found.function, nullptr) << name;
    EXPECT_EQ(found.status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND) << name;
  }
  const Lookup early = look_up("cuMemCreate", 9000);
  EXPECT_EQ(early.result, CUDA_SUCCESS);
  EXPECT_EQ(early.function, nullptr);
  EXPECT_EQ(early.status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
  EXPECT_EQ(look_up("cuMemCreate", 99000).result, CUDA_ERROR_INVALID_VALUE);
  int untouched = 0;
  void* function = &untouched;
  EXPECT_EQ(driver().cuGetProcAddress("cuNoSuchFunction", &function, 12000, 0),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(function, &untouched);
}

}  // namespace
}  // namespace gmlake::simcuda::test
