// Handles that can be shared, and the misuse of what crosses process borders, within one process.
// alone/process_test.cpp has the other process.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "../fixture.h"

namespace conformance {
namespace {

constexpr auto kFile = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

class Sharing : public DeviceTest {
 protected:
  static CUmemAllocationProp shareable() {
    auto properties = device_memory();
    properties.requestedHandleTypes = kFile;
    return properties;
  }
  int export_file(CUmemGenericAllocationHandle handle) {
    int file = -1;
    EXPECT_EQ(d.cuMemExportToShareableHandle(&file, handle, kFile, 0), CUDA_SUCCESS);
    later([file] { close(file); });
    return file;
  }
  CUmemGenericAllocationHandle import_file(int file) {
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(d.cuMemImportFromShareableHandle(&handle, file_handle(file), kFile), CUDA_SUCCESS);
    return handle;
  }
  static void* file_handle(int file) {
    return reinterpret_cast<void*>(static_cast<std::intptr_t>(file));
  }
};

// [H 13140] a file descriptor for the memory.
TEST_F(Sharing, AHandleBecomesAFile) {
  const int file = export_file(create(kChunk, shareable()));
  EXPECT_GE(file, 0);
  EXPECT_NE(fcntl(file, F_GETFD), -1);
}

// [H 13224] the handle says what it can become.
TEST_F(Sharing, AHandleKnowsItsTypes) {
  CUmemAllocationProp found{};
  EXPECT_EQ(d.cuMemGetAllocationPropertiesFromHandle(&found, create(kChunk, shareable())),
            CUDA_SUCCESS);
  EXPECT_EQ(found.requestedHandleTypes, kFile);
}

// [H 4243] only the requested types: CUDA_ERROR_INVALID_VALUE or NOT_SUPPORTED.
TEST_F(Sharing, AHandleMadeWithoutATypeIsNotExported) {
  int file = -1;
  EXPECT_NE(d.cuMemExportToShareableHandle(&file, create(kChunk), kFile, 0), CUDA_SUCCESS);
  EXPECT_EQ(file, -1);
}

// [H 13157] "Reserved, must be zero".
TEST_F(Sharing, ExportTakesNoFlags) {
  int file = -1;
  EXPECT_EQ(d.cuMemExportToShareableHandle(&file, create(kChunk, shareable()), kFile, 1),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 13160] CUDA_ERROR_INVALID_VALUE.
TEST_F(Sharing, ExportNeedsAPlace) {
  EXPECT_EQ(d.cuMemExportToShareableHandle(nullptr, create(kChunk, shareable()), kFile, 0),
            CUDA_ERROR_INVALID_VALUE);
}

// [H 13143] what is imported is the same memory.
TEST_F(Sharing, AnImportedHandleIsTheSameMemory) {
  const auto handle = create(kChunk, shareable());
  const CUdeviceptr at = reserve(2 * kChunk);
  const auto imported = import_file(export_file(handle));
  map(at, kChunk, handle);
  map(at + kChunk, kChunk, imported);
  allow(at, 2 * kChunk);
  write(at + 100, 4711);
  EXPECT_EQ(read(at + kChunk + 100), 4711U);
  EXPECT_EQ(d.cuMemRelease(imported), CUDA_SUCCESS);
}

// [H 12844] every import is released on its own; the memory stays as long as one is left.
TEST_F(Sharing, AnImportedHandleLivesOn) {
  const auto properties = shareable();
  CUmemGenericAllocationHandle handle = 0;
  ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
  const CUdeviceptr at = reserve(2 * kChunk);
  ASSERT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
  allow(at, kChunk);
  write(at, 4711);
  const auto imported = import_file(export_file(handle));
  EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  map(at + kChunk, kChunk, imported);
  allow(at + kChunk, kChunk);
  EXPECT_EQ(read(at + kChunk), 4711U);
  EXPECT_EQ(d.cuMemRelease(imported), CUDA_SUCCESS);
}

// [H 13191] CUDA_ERROR_INVALID_VALUE: a file that is none of the driver's.
TEST_F(Sharing, OtherFilesAreNotImported) {
  CUmemGenericAllocationHandle handle = 0;
  const int file = open("/dev/null", O_RDWR);
  EXPECT_NE(d.cuMemImportFromShareableHandle(&handle, file_handle(file), kFile), CUDA_SUCCESS);
  close(file);
  EXPECT_NE(d.cuMemImportFromShareableHandle(&handle, file_handle(-1), kFile), CUDA_SUCCESS);
}

// [H 9314] memory of cuMemAlloc; "may be called multiple times on an allocation".
TEST_F(Sharing, MemoryHasAHandleForOtherProcesses) {
  const CUdeviceptr at = make_memory(1000);
  CUipcMemHandle handle{};
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, at + 8), CUDA_SUCCESS);  // [M]
}

// Programs keep what they have opened by these bytes.
TEST_F(Sharing, MemoryKeepsItsHandle) {
  const CUdeviceptr at = make_memory(1000);
  CUipcMemHandle first{};
  CUipcMemHandle again{};
  ASSERT_EQ(d.cuIpcGetMemHandle(&first, at), CUDA_SUCCESS);
  ASSERT_EQ(d.cuIpcGetMemHandle(&again, at), CUDA_SUCCESS);
  EXPECT_EQ(std::memcmp(&first, &again, sizeof first), 0);
}

// [H 9317] memory that is freed and allocated anew has "a unique handle", whatever its address.
TEST_F(Sharing, NewMemoryHasAnotherHandle) {
  CUipcMemHandle first{};
  CUipcMemHandle second{};
  for (CUipcMemHandle* handle : {&first, &second}) {
    CUdeviceptr at = 0;
    ASSERT_EQ(d.cuMemAlloc_v2(&at, kChunk), CUDA_SUCCESS);
    EXPECT_EQ(d.cuIpcGetMemHandle(handle, at), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  }
  EXPECT_NE(std::memcmp(&first, &second, sizeof first), 0);
}

// [M] only of cuMemAlloc: CUDA_ERROR_INVALID_VALUE.
TEST_F(Sharing, OtherMemoryHasNoHandleForOtherProcesses) {
  CUipcMemHandle handle{};
  const CUdeviceptr mapped = reserve(kChunk);
  map(mapped, kChunk, create(kChunk));
  allow(mapped, kChunk);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, mapped), CUDA_ERROR_INVALID_VALUE);
  CUdeviceptr async = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&async, 1000, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, async), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(d.cuMemFreeAsync(async, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, 0xdeadbee000), CUDA_ERROR_INVALID_VALUE);
}

// [H 9358] handles are for other processes: the one that made it may not open it.
TEST_F(Sharing, AProcessDoesNotOpenItsOwnMemory) {
  CUipcMemHandle handle{};
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuIpcGetMemHandle(&handle, make_memory(1000)), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcOpenMemHandle_v2(&at, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
            CUDA_ERROR_INVALID_CONTEXT);
}

// [H 9389] "Must be specified as CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS".
TEST_F(Sharing, MemoryIsOpenedWithItsFlag) {
  CUipcMemHandle handle{};
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuIpcGetMemHandle(&handle, make_memory(1000)), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcOpenMemHandle_v2(&at, handle, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 9440] CUDA_ERROR_INVALID_VALUE: memory that was not opened is not closed.
TEST_F(Sharing, OnlyOpenedMemoryIsClosed) {
  EXPECT_EQ(d.cuIpcCloseMemHandle(make_memory(1000)), CUDA_ERROR_INVALID_VALUE);
}

// [H 9243] an event made with CU_EVENT_INTERPROCESS.
TEST_F(Sharing, EventsHaveHandlesForOtherProcesses) {
  CUipcEventHandle handle{};
  EXPECT_EQ(
      d.cuIpcGetEventHandle(&handle, make_event(CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING)),
      CUDA_SUCCESS);
}

// [H 9248] CUDA_ERROR_INVALID_HANDLE for another.
TEST_F(Sharing, OtherEventsHaveNoHandlesForOtherProcesses) {
  CUipcEventHandle handle{};
  EXPECT_EQ(d.cuIpcGetEventHandle(&handle, make_event(CU_EVENT_DISABLE_TIMING)),
            CUDA_ERROR_INVALID_HANDLE);
}

// [H 13696] a pool that shares is made so; its handle is a file.
TEST_F(Sharing, APoolBecomesAFile) {
  CUmemPoolProps properties{};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.handleTypes = kFile;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(d.cuMemPoolCreate(&pool, &properties), CUDA_SUCCESS);
  int file = -1;
  EXPECT_EQ(d.cuMemPoolExportToShareableHandle(&file, pool, kFile, 0), CUDA_SUCCESS);
  EXPECT_NE(fcntl(file, F_GETFD), -1);
  close(file);
  EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
}

// [H 13540] "CU_MEM_HANDLE_TYPE_NONE creates a memory pool that will not support IPC."
TEST_F(Sharing, APoolMadeWithoutATypeIsNotExported) {
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(d.cuDeviceGetDefaultMemPool(&pool, 0), CUDA_SUCCESS);
  int file = -1;
  EXPECT_EQ(d.cuMemPoolExportToShareableHandle(&file, pool, kFile, 0), CUDA_ERROR_INVALID_VALUE);
}

// [H 13752] data for "a specific allocation from an already shared memory pool."
TEST_F(Sharing, APointerOfNoPoolIsNotExported) {
  CUmemPoolPtrExportData data{};
  EXPECT_EQ(d.cuMemPoolExportPointer(&data, make_memory(1000)), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace conformance
