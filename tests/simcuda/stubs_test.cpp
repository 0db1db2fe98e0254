// All of cuda.h and what is newer is exported, and what is not simulated says so.
#include <string>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

struct Function {
  const char* symbol;
  const char* base;
  int version;
  cuuint64_t flags;
};
constexpr cuuint64_t any = CU_GET_PROC_ADDRESS_LEGACY_STREAM;
constexpr cuuint64_t per_thread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
constexpr Function kAll[] = {
#define F(symbol, base, version, flavour) {#symbol, #base, version, flavour},
#include "all_functions.def"
};

void* look_up(const char* base, int version, cuuint64_t flags) {
  void* found = nullptr;
  CUdriverProcAddressQueryResult status{};
  EXPECT_EQ(driver().cuGetProcAddress_v2(base, &found, version, flags, &status), CUDA_SUCCESS);
  EXPECT_EQ(found != nullptr, status == CU_GET_PROC_ADDRESS_SUCCESS);
  return found;
}

TEST(Stubs, EveryFunctionIsExportedAndFoundByItsBaseNameAndVersion) {
  EXPECT_GT(std::size(kAll), 600U);
  for (const Function& f : kAll) {
    void* exported = dlsym(driver().library, f.symbol);
    EXPECT_NE(exported, nullptr) << f.symbol;
    EXPECT_EQ(look_up(f.base, f.version, f.flags), exported) << f.symbol;
    EXPECT_NE(look_up(f.base, f.version - 1, f.flags), exported) << f.symbol;
  }
}

TEST(Stubs, NamesThatChangedWithTheirVersions) {
  const auto exported = [](const char* symbol) { return dlsym(driver().library, symbol); };
  EXPECT_EQ(look_up("cuMemAlloc", 2000, any), exported("cuMemAlloc"));
  EXPECT_EQ(look_up("cuMemAlloc", 3020, any), exported("cuMemAlloc_v2"));
  EXPECT_EQ(look_up("cuCtxCreate", 12000, any), exported("cuCtxCreate_v3"));
  EXPECT_EQ(look_up("cuTexRefSetAddress2D", 3030, any), exported("cuTexRefSetAddress2D_v2"));
  EXPECT_EQ(look_up("cuStreamBeginCapture", 10000, per_thread),
            exported("cuStreamBeginCapture_ptsz"));
  EXPECT_EQ(look_up("cuMemcpy2D", 13000, per_thread), exported("cuMemcpy2D_v2_ptds"));
  // Newer than cuda.h may be.
  EXPECT_EQ(look_up("cuGraphAddNode", 13030, any), exported("cuGraphAddNode_v2"));
  EXPECT_EQ(look_up("cuGraphAddNode", 13040, any), exported("cuGraphAddNode_v3"));
  EXPECT_EQ(look_up("cuLaunchHostFunc", 13050, per_thread), exported("cuLaunchHostFunc_v2_ptsz"));
  // A function without a per-thread variant is found all the same.
  EXPECT_EQ(look_up("cuMemAlloc", 13000, per_thread), exported("cuMemAlloc_v2"));
  for (const char* unknown : {"", "cuMemAlloc_v2", "cuMemAllo", "cuMemAllocAsync_ptsz", "malloc"})
    EXPECT_EQ(look_up(unknown, 13000, any), nullptr) << unknown;
}

TEST(Stubs, RefuseBeforeInitialisationAndSaySoAfterIt) {
  const Driver& d = driver();
  const auto texture = d.find<decltype(cuTexRefCreate)>("cuTexRefCreate");
  const auto fill = d.find<decltype(cuMemcpyHtoAAsync_v2_ptsz)>("cuMemcpyHtoAAsync_v2_ptsz");
  const auto old = d.find<decltype(cuMemAlloc)>("cuMemAlloc");
  const auto calls = d.find<decltype(simcuda_call_count)>("simcuda_call_count");
  CUtexref reference = nullptr;
  EXPECT_EQ(texture(&reference), CUDA_ERROR_NOT_INITIALIZED);
  ASSERT_EQ(d.cuInit(0), CUDA_SUCCESS);
  EXPECT_EQ(texture(&reference), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(fill(nullptr, 0, nullptr, 1, nullptr), CUDA_ERROR_NOT_SUPPORTED);
  CUdeviceptr_v1 at = 0;
  EXPECT_EQ(old(&at, 4096), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(calls("cuTexRefCreate"), 2U);
  EXPECT_EQ(calls("cuMemcpyHtoAAsync_v2_ptsz"), 1U);
  EXPECT_EQ(calls("cuMemAlloc"), 1U);
}

}  // namespace
}  // namespace gmlake::simcuda::test
