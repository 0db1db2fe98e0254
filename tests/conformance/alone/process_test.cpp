// Memory and events that two processes share.
#include "processes.h"

namespace conformance {
namespace {

constexpr auto kFile = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
constexpr auto kLazy = CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS;

void* file_handle(int file) {
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(file));
}

// [H 9355] "a device pointer usable in the local process": both see the same bytes.
TEST_F(TwoProcesses, ShareMemory) {
  run(
      [&](const Driver& d, const Line& line) {
        CUdeviceptr at = 0;
        CUipcMemHandle handle{};
        ASSERT_EQ(d.cuMemAlloc_v2(&at, 1 << 20), CUDA_SUCCESS);
        write(at, 4711);
        ASSERT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
        line.give(handle);
        line.meet();
        EXPECT_EQ(read(at), 4712U);
        EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
      },
      [&](const Driver& d, const Line& line) {
        CUdeviceptr at = 0;
        ASSERT_EQ(d.cuIpcOpenMemHandle_v2(&at, line.take<CUipcMemHandle>(), kLazy), CUDA_SUCCESS);
        EXPECT_EQ(read(at), 4711U);
        write(at, 4712);
        EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_SUCCESS);
        line.meet();
      });
}

// [H 9369] opened again, "the reference count on the handle is incremented by 1 and the existing
// device pointer is returned."
TEST_F(TwoProcesses, OpenMemorySeveralTimes) {
  run(
      [&](const Driver& d, const Line& line) {
        CUdeviceptr at = 0;
        CUipcMemHandle handle{};
        ASSERT_EQ(d.cuMemAlloc_v2(&at, 1 << 20), CUDA_SUCCESS);
        write(at, 4711);
        ASSERT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
        line.give(handle);
        line.meet();
        EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
      },
      [&](const Driver& d, const Line& line) {
        const auto handle = line.take<CUipcMemHandle>();
        CUdeviceptr at = 0;
        CUdeviceptr again = 0;
        ASSERT_EQ(d.cuIpcOpenMemHandle_v2(&at, handle, kLazy), CUDA_SUCCESS);
        ASSERT_EQ(d.cuIpcOpenMemHandle_v2(&again, handle, kLazy), CUDA_SUCCESS);
        EXPECT_EQ(again, at);
        EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_SUCCESS);
        EXPECT_EQ(read(at), 4711U);
        EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_SUCCESS);
        EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_ERROR_INVALID_VALUE);
        line.meet();
      });
}

// [H 9373] "must be freed with cuIpcCloseMemHandle."
TEST_F(TwoProcesses, DoNotFreeEachOthersMemory) {
  run(
      [&](const Driver& d, const Line& line) {
        CUdeviceptr at = 0;
        CUipcMemHandle handle{};
        ASSERT_EQ(d.cuMemAlloc_v2(&at, 1 << 20), CUDA_SUCCESS);
        ASSERT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
        line.give(handle);
        line.meet();
        EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
      },
      [&](const Driver& d, const Line& line) {
        CUdeviceptr at = 0;
        ASSERT_EQ(d.cuIpcOpenMemHandle_v2(&at, line.take<CUipcMemHandle>(), kLazy), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
        EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_SUCCESS);
        line.meet();
      });
}

// [H 9228] cuEventQuery and cuEventSynchronize "may be used in either process."
TEST_F(TwoProcesses, ShareAnEvent) {
  run(
      [&](const Driver& d, const Line& line) {
        CUevent event = nullptr;
        CUstream stream = nullptr;
        CUipcEventHandle handle{};
        ASSERT_EQ(d.cuEventCreate(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING),
                  CUDA_SUCCESS);
        ASSERT_EQ(d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
        ASSERT_EQ(d.cuIpcGetEventHandle(&handle, event), CUDA_SUCCESS);
        line.give(handle);
        line.meet();
        {
          Gate gate(stream);
          ASSERT_EQ(d.cuEventRecord(event, stream), CUDA_SUCCESS);
          line.meet();  // recorded
          line.meet();  // and seen to be pending
        }
        line.meet();  // seen to be complete
        EXPECT_EQ(d.cuEventDestroy_v2(event), CUDA_SUCCESS);
        EXPECT_EQ(d.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
      },
      [&](const Driver& d, const Line& line) {
        CUevent event = nullptr;
        ASSERT_EQ(d.cuIpcOpenEventHandle(&event, line.take<CUipcEventHandle>()), CUDA_SUCCESS);
        line.meet();
        line.meet();
        EXPECT_EQ(d.cuEventQuery(event), CUDA_ERROR_NOT_READY);
        line.meet();
        EXPECT_EQ(d.cuEventSynchronize(event), CUDA_SUCCESS);
        EXPECT_EQ(d.cuEventDestroy_v2(event), CUDA_SUCCESS);
        line.meet();
      });
}

// [H 13140] an allocation goes to another process as a file, and lives on there.
TEST_F(TwoProcesses, ShareAHandle) {
  run(
      [&](const Driver& d, const Line& line) {
        auto properties = device_memory();
        properties.requestedHandleTypes = kFile;
        const auto access = read_write();
        CUmemGenericAllocationHandle handle = 0;
        CUdeviceptr at = 0;
        int file = -1;
        ASSERT_EQ(d.cuMemCreate(&handle, kChunk, &properties, 0), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemAddressReserve(&at, kChunk, 0, 0, 0), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
        write(at, 4711);
        ASSERT_EQ(d.cuMemExportToShareableHandle(&file, handle, kFile, 0), CUDA_SUCCESS);
        line.give_file(file);
        close(file);
        EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemAddressFree(at, kChunk), CUDA_SUCCESS);
        line.meet();
        line.meet();
      },
      [&](const Driver& d, const Line& line) {
        const auto access = read_write();
        const int file = line.take_file();
        CUmemGenericAllocationHandle handle = 0;
        CUdeviceptr at = 0;
        line.meet();
        ASSERT_EQ(d.cuMemImportFromShareableHandle(&handle, file_handle(file), kFile),
                  CUDA_SUCCESS);
        close(file);
        ASSERT_EQ(d.cuMemAddressReserve(&at, kChunk, 0, 0, 0), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemMap(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemSetAccess(at, kChunk, &access, 1), CUDA_SUCCESS);
        EXPECT_EQ(read(at), 4711U);
        EXPECT_EQ(d.cuMemUnmap(at, kChunk), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemAddressFree(at, kChunk), CUDA_SUCCESS);
        line.meet();
      });
}

// [H 13691] a pool goes to another process, and pointers of it; [H 13726] "Imported memory pools
// do not support creating new allocations."
TEST_F(TwoProcesses, ShareAPool) {
  run(
      [&](const Driver& d, const Line& line) {
        CUmemPoolProps properties{};
        properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.handleTypes = kFile;
        properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
        CUmemoryPool pool = nullptr;
        CUdeviceptr at = 0;
        CUmemPoolPtrExportData data{};
        int file = -1;
        ASSERT_EQ(d.cuMemPoolCreate(&pool, &properties), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemAllocFromPoolAsync(&at, 1 << 20, pool, nullptr), CUDA_SUCCESS);
        write(at, 4711);
        ASSERT_EQ(d.cuMemPoolExportToShareableHandle(&file, pool, kFile, 0), CUDA_SUCCESS);
        ASSERT_EQ(d.cuMemPoolExportPointer(&data, at), CUDA_SUCCESS);
        line.give_file(file);
        line.give(data);
        line.meet();
        EXPECT_EQ(read(at), 4712U);
        EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
        EXPECT_EQ(d.cuCtxSynchronize(), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
        close(file);
      },
      [&](const Driver& d, const Line& line) {
        const int file = line.take_file();
        auto data = line.take<CUmemPoolPtrExportData>();
        CUmemoryPool pool = nullptr;
        CUdeviceptr at = 0;
        CUdeviceptr none = 0;
        ASSERT_EQ(d.cuMemPoolImportFromShareableHandle(&pool, file_handle(file), kFile, 0),
                  CUDA_SUCCESS);
        close(file);
        ASSERT_EQ(d.cuMemPoolImportPointer(&at, pool, &data), CUDA_SUCCESS);
        EXPECT_EQ(read(at), 4711U);
        write(at, 4712);
        EXPECT_NE(d.cuMemAllocFromPoolAsync(&none, 1 << 20, pool, nullptr), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
        EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
        line.meet();
      });
}

}  // namespace
}  // namespace conformance
