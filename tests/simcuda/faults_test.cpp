// Faults armed from within a test: every form of the grammar, and what is none.
#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

class Faults : public DeviceTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(arm(nullptr), nullptr);
    DeviceTest::TearDown();
  }
  // Results of so many calls that would succeed.
  std::string results(int calls) {
    std::string text;
    for (int i = 0; i < calls; ++i) {
      CUdeviceptr at = 0;
      const CUresult result = d.cuMemAlloc_v2(&at, 4096);
      text += (text.empty() ? "" : " ") + std::to_string(result);
      EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);  // 0 frees nothing
    }
    return text;
  }

  decltype(&simcuda_arm_faults) arm =
      driver().find<decltype(simcuda_arm_faults)>("simcuda_arm_faults");
};

TEST_F(Faults, TheNthCallIsCountedFromNowOn) {
  EXPECT_EQ(results(3), "0 0 0");
  ASSERT_EQ(arm("cuMemAlloc_v2:2=2"), nullptr);
  EXPECT_EQ(results(4), "0 2 0 0");
  ASSERT_EQ(arm("cuMemAlloc_v2:1=700"), nullptr);
  EXPECT_EQ(results(2), "700 0");
}

TEST_F(Faults, EveryNthCall) {
  ASSERT_EQ(arm("cuMemAlloc_v2:every=3=2"), nullptr);
  EXPECT_EQ(results(7), "0 0 2 0 0 2 0");
}

TEST_F(Faults, SeveralAtATimeTheFirstCounts) {
  ASSERT_EQ(arm("cuMemAlloc_v2:every=2=2,cuMemAlloc_v2:4=999,cuMemAlloc_v2:5=1"), nullptr);
  EXPECT_EQ(results(6), "0 2 0 2 1 2");
}

TEST_F(Faults, AnyOfManyCallsByChance) {
  ASSERT_EQ(arm("cuMemAlloc_v2:p=1=2"), nullptr);
  EXPECT_EQ(results(3), "2 2 2");
  ASSERT_EQ(arm("cuMemAlloc_v2:p=0.25=2"), nullptr);
  const std::string first = results(400);
  const auto failed = std::count(first.begin(), first.end(), '2');
  EXPECT_GT(failed, 50);
  EXPECT_LT(failed, 150);
  ASSERT_EQ(arm("cuMemAlloc_v2:p=0.25=2"), nullptr);
  EXPECT_EQ(results(400), first);
}

TEST_F(Faults, OtherFunctionsGoOn) {
  ASSERT_EQ(arm("cuMemCreate:every=1=2"), nullptr);
  EXPECT_EQ(results(2), "0 0");
  const auto properties = device_memory();
  CUmemGenericAllocationHandle handle = 0;
  EXPECT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(Faults, MemoryShrinksAtACall) {
  std::size_t before = 0;
  ASSERT_EQ(d.cuMemGetInfo_v2(&before, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(arm("cuMemAlloc_v2:2=memory=1MiB"), nullptr);
  CUdeviceptr first = 0;
  CUdeviceptr second = 0;
  EXPECT_EQ(d.cuMemAlloc_v2(&first, 4 << 20), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&second, 4096), CUDA_ERROR_OUT_OF_MEMORY);  // more is taken already
  std::size_t free = 1;
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(free, 0U);
  EXPECT_EQ(d.cuMemFree_v2(first), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAlloc_v2(&second, 4096), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFree_v2(second), CUDA_SUCCESS);
  ASSERT_EQ(arm(""), nullptr);
  EXPECT_EQ(d.cuMemGetInfo_v2(&free, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(free, before);
}

TEST_F(Faults, MappingsAreLimited) {
  ASSERT_EQ(arm("cuMemMap:1=mappings=2"), nullptr);
  const CUdeviceptr at = reserve(3 * kChunk);
  std::vector<CUmemGenericAllocationHandle> handles;
  for (int i = 0; i < 3; ++i) {
    handles.push_back(create(kChunk));
    EXPECT_EQ(d.cuMemMap(at + static_cast<CUdeviceptr>(i) * kChunk, kChunk, 0, handles.back(), 0),
              i < 2 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
  }
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemMap(at + 2 * kChunk, kChunk, 0, handles.back(), 0), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(at + kChunk, 2 * kChunk), CUDA_SUCCESS);
  for (const auto handle : handles) EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemAddressFree(at, 3 * kChunk), CUDA_SUCCESS);
}

TEST_F(Faults, DelaysTakeTheirTime) {
  using namespace std::chrono;
  for (const auto& [fault, least] : {std::pair{"cuMemAlloc_v2:1=delay=20ms", microseconds(20000)},
                                     {"cuMemAlloc_v2:1=delay=3000us", microseconds(3000)},
                                     {"cuMemAlloc_v2:1=delay=2000000ns", microseconds(2000)}}) {
    ASSERT_EQ(arm(fault), nullptr);
    const auto begin = steady_clock::now();
    EXPECT_EQ(results(1), "0");
    EXPECT_GE(steady_clock::now() - begin, least) << fault;
  }
}

TEST_F(Faults, WhatIsWrongIsSaidAndChangesNothing) {
  ASSERT_EQ(arm("cuMemAlloc_v2:every=1=2"), nullptr);
  for (const std::string wrong : {"cuMemAlloc_v2",
                                  "cuMemAlloc_v2:",
                                  "cuMemAlloc_v2:1",
                                  "cuMemAlloc_v2:1=",
                                  ":1=2",
                                  "cuNoSuch:1=2",
                                  "cuMemAlloc_v2:0=2",
                                  "cuMemAlloc_v2:-1=2",
                                  "cuMemAlloc_v2:1x=2",
                                  "cuMemAlloc_v2:1=0",
                                  "cuMemAlloc_v2:1=1000",
                                  "cuMemAlloc_v2:1=two",
                                  "cuMemAlloc_v2:every=2",
                                  "cuMemAlloc_v2:every=0=2",
                                  "cuMemAlloc_v2:every==2",
                                  "cuMemAlloc_v2:p=0=2",
                                  "cuMemAlloc_v2:p=1.5=2",
                                  "cuMemAlloc_v2:p=x=2",
                                  "cuMemAlloc_v2:p=nan=2",
                                  "cuMemAlloc_v2:1=memory=",
                                  "cuMemAlloc_v2:1=memory=much",
                                  "cuMemAlloc_v2:1=mappings=",
                                  "cuMemAlloc_v2:1=mappings=-1",
                                  "cuMemAlloc_v2:1=delay=5",
                                  "cuMemAlloc_v2:1=delay=5s",
                                  "cuMemAlloc_v2:1=delay=ms",
                                  "cuMemAlloc_v2:1=delay=99999999999999999ms",
                                  "cuMemAlloc_v2:1=2 "}) {
    const char* said = arm(("cuMemFree_v2:9=2," + wrong).c_str());
    ASSERT_NE(said, nullptr) << wrong;
    EXPECT_TRUE(std::string_view(said).starts_with("'" + wrong + "' is not")) << said;
  }
  ASSERT_NE(arm(",cuMemAlloc_v2:1=2"), nullptr);
  EXPECT_EQ(results(2), "2 2");
  ASSERT_EQ(arm(nullptr), nullptr);
  EXPECT_EQ(results(2), "0 0");
}

}  // namespace
}  // namespace gmlake::simcuda::test
