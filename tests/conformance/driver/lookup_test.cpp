// cuGetProcAddress: functions by base name, version and kind of default stream.
#include "../driver.h"

namespace conformance {
namespace {

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
void* symbol(const char* name) {
  return dlsym(driver().library, name);
}
constexpr auto kPerThread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;

class Functions : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(driver().cuInit(0), CUDA_SUCCESS); }
};

// The surface that the tests cover, by its ELF names.
TEST_F(Functions, AreExported) {
#define X(name) EXPECT_NE(symbol(#name), nullptr) << #name;
  CONFORMANCE_DRIVER_FUNCTIONS(X)
#undef X
}

// [H 24294] "the corresponding versioned function".
TEST_F(Functions, AreFoundByBaseName) {
  const Lookup found = look_up("cuMemCreate", 12000);
  EXPECT_EQ(found.result, CUDA_SUCCESS);
  EXPECT_EQ(found.status, CU_GET_PROC_ADDRESS_SUCCESS);
  EXPECT_EQ(found.function, symbol("cuMemCreate"));
}

// [H 24293] the newest that is not newer than the version asked for.
TEST_F(Functions, AreOfTheVersionAskedFor) {
  EXPECT_EQ(look_up("cuMemAlloc", 3020).function, symbol("cuMemAlloc_v2"));
  EXPECT_EQ(look_up("cuMemAlloc", 12000).function, symbol("cuMemAlloc_v2"));
  EXPECT_EQ(look_up("cuDevicePrimaryCtxRelease", 7000).function,
            symbol("cuDevicePrimaryCtxRelease"));
  EXPECT_EQ(look_up("cuDevicePrimaryCtxRelease", 11000).function,
            symbol("cuDevicePrimaryCtxRelease_v2"));
  EXPECT_EQ(look_up("cuStreamBeginCapture", 10000).function, symbol("cuStreamBeginCapture"));
  EXPECT_EQ(look_up("cuStreamBeginCapture", 10010).function, symbol("cuStreamBeginCapture_v2"));
}

// [H 24294] it finds itself too.
TEST_F(Functions, IncludeTheLookUpItself) {
  EXPECT_EQ(look_up("cuGetProcAddress", 11030).function, symbol("cuGetProcAddress"));
  EXPECT_EQ(look_up("cuGetProcAddress", 12000).function, symbol("cuGetProcAddress_v2"));
}

// [H 24314] found, "but is not supported by cudaVersion specified".
TEST_F(Functions, MayBeTooNew) {
  const Lookup early = look_up("cuMemCreate", 9000);
  EXPECT_EQ(early.result, CUDA_SUCCESS);
  EXPECT_EQ(early.function, nullptr);
  EXPECT_EQ(early.status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
}

// [H 24295] a version "greater than the driver version": CUDA_ERROR_INVALID_VALUE.
TEST_F(Functions, AreOfNoVersionBeyondTheDrivers) {
  EXPECT_EQ(look_up("cuMemCreate", 99000).result, CUDA_ERROR_INVALID_VALUE);
}

// [H 24303] CUDA_SUCCESS and NULL "if the driver symbol is invalid"; a versioned name is none.
TEST_F(Functions, ThatAreNotThereAreNull) {
  for (const char* name : {"", "cuNoSuchFunction", "cuMemAlloc_v2"}) {
    const Lookup found = look_up(name, 12000);
    EXPECT_EQ(found.result, CUDA_SUCCESS) << name;
    EXPECT_EQ(found.function, nullptr) << name;
    EXPECT_EQ(found.status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND) << name;
  }
}

// [H 24334] symbolStatus is optional.
TEST_F(Functions, AreFoundWithoutAStatus) {
  void* function = nullptr;
  EXPECT_EQ(driver().cuGetProcAddress_v2("cuMemCreate", &function, 12000, 0, nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(function, symbol("cuMemCreate"));
}

// [M] the older look-up says CUDA_ERROR_NOT_FOUND and leaves the place alone.
TEST_F(Functions, TheOlderLookUpFailsForWhatIsNotThere) {
  int untouched = 0;
  void* function = &untouched;
  EXPECT_EQ(driver().cuGetProcAddress("cuNoSuchFunction", &function, 12000, 0),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(function, &untouched);
}

// [H 24321] without the per-thread versions.
TEST_F(Functions, AreForTheLegacyStreamByDefault) {
  EXPECT_EQ(look_up("cuStreamQuery", 7000).function, symbol("cuStreamQuery"));
  EXPECT_EQ(look_up("cuStreamQuery", 7000, CU_GET_PROC_ADDRESS_LEGACY_STREAM).function,
            symbol("cuStreamQuery"));
}

// [H 24323] "including the per-thread versions."
TEST_F(Functions, AreForThePerThreadStreamOnRequest) {
  EXPECT_EQ(look_up("cuStreamQuery", 7000, kPerThread).function, symbol("cuStreamQuery_ptsz"));
  EXPECT_EQ(look_up("cuMemcpyHtoD", 7000, kPerThread).function, symbol("cuMemcpyHtoD_v2_ptds"));
}

// [H 24325] "If a per-thread version is not found, the API will return the legacy version".
TEST_F(Functions, WithoutAStreamAreTheSameForBoth) {
  EXPECT_EQ(look_up("cuMemAlloc", 7000, kPerThread).function, symbol("cuMemAlloc_v2"));
}

// [M] the per-thread versions came with CUDA 7.
TEST_F(Functions, PerThreadVersionsCameWithSeven) {
  EXPECT_EQ(look_up("cuStreamQuery", 2000, kPerThread).function, nullptr);
}

// [H 24316] there are three values of the flags.
TEST_F(Functions, AreLookedUpWithKnownFlags) {
  EXPECT_EQ(look_up("cuStreamQuery", 7000, 4).result, CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace conformance
