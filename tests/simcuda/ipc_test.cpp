// Memory between processes: handles and pools exported as file descriptors, and the legacy cuIpc
// handles. Each test wants a process of its own, as ctest runs them.
#include "driver.h"
#include "process.h"

#include <fcntl.h>
#include <sys/mman.h>

namespace gmlake::simcuda::test {
namespace {

constexpr std::size_t kMemory = 64 << 20;
constexpr auto kDescriptor = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

[[maybe_unused]] const bool kSettings =
    setenv("SIMCUDA_MEMORY", "64MiB", 1) == 0 && setenv("SIMCUDA_DEVICES", "2", 1) == 0;

void* as_handle(int fd) {
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(fd));
}

// The calls, in whichever of the processes.
class Ipc : public DeviceTest {
 protected:
  // Not before the other process has been started.
  void SetUp() override {}
  void TearDown() override {
    if (context != nullptr) DeviceTest::TearDown();
  }
  void start() { DeviceTest::SetUp(); }

  CUmemGenericAllocationHandle create_exportable(std::size_t size) {
    auto properties = device_memory();
    properties.requestedHandleTypes = kDescriptor;
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(d.cuMemCreate(&handle, size, &properties, 0), CUDA_SUCCESS);
    return handle;
  }
  CUdeviceptr map(CUmemGenericAllocationHandle handle, std::size_t size) {
    const CUdeviceptr at = reserve(size);
    const auto access = read_write();
    EXPECT_EQ(d.cuMemMap(at, size, 0, handle, 0), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemSetAccess(at, size, &access, 1), CUDA_SUCCESS);
    return at;
  }
  int export_handle(CUmemGenericAllocationHandle handle) {
    int fd = -1;
    EXPECT_EQ(d.cuMemExportToShareableHandle(&fd, handle, kDescriptor, 0), CUDA_SUCCESS);
    return fd;
  }
  CUresult import(CUmemGenericAllocationHandle& handle, int fd) {
    return d.cuMemImportFromShareableHandle(&handle, as_handle(fd), kDescriptor);
  }
  CUmemoryPool exportable_pool() {
    CUmemPoolProps properties{};
    properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    properties.handleTypes = kDescriptor;
    CUmemoryPool pool = nullptr;
    EXPECT_EQ(d.cuMemPoolCreate(&pool, &properties), CUDA_SUCCESS);
    return pool;
  }
  CUresult open(CUdeviceptr& at, const CUipcMemHandle& handle) {
    return d.cuIpcOpenMemHandle_v2(&at, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
  }
  std::size_t free_memory() {
    std::size_t free = 0;
    EXPECT_EQ(d.cuMemGetInfo_v2(&free, nullptr), CUDA_SUCCESS);
    return free;
  }
};

TEST_F(Ipc, AHandleExportedAsADescriptorIsTheSameMemoryElsewhere) {
  Process other([&](Socket& socket) {
    start();
    const auto handle = create_exportable(2 * kChunk);
    const CUdeviceptr at = map(handle, 2 * kChunk);
    write(at + kChunk, 11);
    const int fd = export_handle(handle);
    socket.send(true, fd);
    close(fd);
    socket.receive<bool>();
    EXPECT_EQ(read(at + kChunk), 22U);
    // Released here, it stays alive there.
    EXPECT_EQ(d.cuMemUnmap(at, 2 * kChunk), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
    socket.send(true);
  });
  start();
  int fd = -1;
  other.socket().receive<bool>(&fd);
  CUmemGenericAllocationHandle handle = 0;
  ASSERT_EQ(import(handle, fd), CUDA_SUCCESS);
  close(fd);
  EXPECT_EQ(free_memory(), kMemory);  // the other process's
  CUmemAllocationProp properties{};
  EXPECT_EQ(d.cuMemGetAllocationPropertiesFromHandle(&properties, handle), CUDA_SUCCESS);
  EXPECT_EQ(properties.requestedHandleTypes, kDescriptor);
  const CUdeviceptr at = map(handle, 2 * kChunk);
  EXPECT_EQ(read(at + kChunk), 11U);
  write(at + kChunk, 22);
  other.socket().send(true);
  other.socket().receive<bool>();
  EXPECT_EQ(read(at + kChunk), 22U);
  // An imported handle can be passed on.
  const int again = export_handle(handle);
  EXPECT_GE(again, 0);
  close(again);
}

TEST_F(Ipc, ImportedWhereItWasMadeAHandleIsTheSameMemory) {
  start();
  const auto handle = create_exportable(kChunk);
  EXPECT_EQ(free_memory(), kMemory - kChunk);
  const int fd = export_handle(handle);
  CUmemGenericAllocationHandle imported = 0;
  ASSERT_EQ(import(imported, fd), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory - kChunk);
  const CUdeviceptr one = map(handle, kChunk);
  const CUdeviceptr two = map(imported, kChunk);
  write(one, 5);
  EXPECT_EQ(read(two), 5U);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(imported), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(one, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemUnmap(two, kChunk), CUDA_SUCCESS);
  EXPECT_EQ(free_memory(), kMemory);
  close(fd);
}

TEST_F(Ipc, ExportAndImportCheckTheirArguments) {
  start();
  int fd = -1;
  const auto handle = create_exportable(kChunk);
  const auto own = create(kChunk);
  EXPECT_EQ(d.cuMemExportToShareableHandle(&fd, own, kDescriptor, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemExportToShareableHandle(&fd, handle, kDescriptor, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemExportToShareableHandle(nullptr, handle, kDescriptor, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemExportToShareableHandle(&fd, handle, CU_MEM_HANDLE_TYPE_NONE, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemExportToShareableHandle(&fd, handle, CU_MEM_HANDLE_TYPE_FABRIC, 0),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemExportToShareableHandle(&fd, handle, kDescriptor, 0), CUDA_ERROR_INVALID_VALUE);
  CUmemGenericAllocationHandle none = 0;
  EXPECT_EQ(import(none, -1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(import(none, 12345), CUDA_ERROR_INVALID_VALUE);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_EQ(import(none, null), CUDA_ERROR_INVALID_VALUE);
  close(null);
  const int foreign = memfd_create("foreign", MFD_CLOEXEC);
  EXPECT_EQ(ftruncate(foreign, 2 * kChunk), 0);
  EXPECT_EQ(import(none, foreign), CUDA_ERROR_INVALID_VALUE);
  close(foreign);
  auto properties = device_memory();
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_FABRIC;
  EXPECT_EQ(d.cuMemCreate(&none, kChunk, &properties, 0), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(d.cuMemRelease(own), CUDA_SUCCESS);
}

TEST_F(Ipc, ALegacyHandleOpensTheBlockInAnotherProcess) {
  constexpr std::size_t kSize = 6 << 20;
  Process other([&](Socket& socket) {
    start();
    // Of two of three blocks: scattered pages.
    CUdeviceptr blocks[3] = {};
    for (auto& block : blocks)
      ASSERT_EQ(d.cuMemAlloc_v2(&block, kMemory / 3 & ~4095), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFree_v2(blocks[0]), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFree_v2(blocks[2]), CUDA_SUCCESS);
    CUdeviceptr at = 0;
    ASSERT_EQ(d.cuMemAlloc_v2(&at, kMemory / 2), CUDA_SUCCESS);
    for (std::uint32_t i = 0; i < 8; ++i) write(at + i * kMemory / 16, 100 + i);
    CUipcMemHandle handle{};
    ASSERT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
    socket.send(handle);
    socket.receive<bool>();
    EXPECT_EQ(read(at + kSize), 7U);
    EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
    socket.send(true);
    socket.receive<bool>();
  });
  start();
  const auto handle = other.socket().receive<CUipcMemHandle>();
  CUdeviceptr at = 0;
  ASSERT_EQ(open(at, handle), CUDA_SUCCESS);
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_EQ(read(at + i * kMemory / 16), 100 + i);
  CUdeviceptr again = 0;
  CUipcMemHandle passed_on{};
  EXPECT_EQ(open(again, handle), CUDA_SUCCESS);
  EXPECT_EQ(again, at);
  std::size_t size = 0;
  EXPECT_EQ(d.cuMemGetAddressRange_v2(nullptr, &size, at + 5), CUDA_SUCCESS);
  EXPECT_EQ(size, kMemory / 2);
  EXPECT_EQ(free_memory(), kMemory);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuIpcGetMemHandle(&passed_on, at), CUDA_ERROR_INVALID_VALUE);
  // Another context of the device may not.
  CUcontext second = nullptr;
  ASSERT_EQ(d.cuCtxCreate_v2(&second, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(open(again, handle), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxDestroy_v2(second), CUDA_SUCCESS);
  ASSERT_EQ(d.cuCtxSetCurrent(context), CUDA_SUCCESS);

  EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_SUCCESS);
  write(at + kSize, 7);  // opened twice
  EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemGetAddressRange_v2(nullptr, &size, at), CUDA_ERROR_NOT_FOUND);
  other.socket().send(true);
  other.socket().receive<bool>();
  EXPECT_EQ(open(at, handle), CUDA_ERROR_INVALID_VALUE);  // freed by its process
  other.socket().send(true);
}

TEST_F(Ipc, LegacyHandlesAreOfNativeBlocks) {
  start();
  CUipcMemHandle handle{};
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1 << 20), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(nullptr, at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, at + 4096), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, 0xdeadbee000), CUDA_ERROR_INVALID_VALUE);
  const CUdeviceptr mapped = map(create_exportable(kChunk), kChunk);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, mapped), CUDA_ERROR_INVALID_VALUE);
  CUdeviceptr ordered = 0;
  ASSERT_EQ(d.cuMemAllocAsync(&ordered, 4096, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, ordered), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(ordered), CUDA_SUCCESS);
  const auto capable = [&](CUdeviceptr where) {
    int is = -1;
    EXPECT_EQ(d.cuPointerGetAttribute(&is, CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE, where),
              CUDA_SUCCESS);
    return is;
  };
  EXPECT_EQ(capable(at), 1);
  EXPECT_EQ(capable(mapped), 0);
  EXPECT_EQ(d.cuIpcGetMemHandle(&handle, at), CUDA_SUCCESS);
  CUipcMemHandle same{};
  EXPECT_EQ(d.cuIpcGetMemHandle(&same, at), CUDA_SUCCESS);
  EXPECT_EQ(std::memcmp(&handle, &same, sizeof handle), 0);
  CUdeviceptr opened = 0;
  EXPECT_EQ(open(opened, handle), CUDA_ERROR_INVALID_CONTEXT);  // not in the process that made it
  EXPECT_EQ(d.cuIpcOpenMemHandle_v2(&opened, handle, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuIpcOpenMemHandle_v2(nullptr, handle, 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(open(opened, CUipcMemHandle{}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuIpcCloseMemHandle(at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  ASSERT_EQ(d.cuMemAlloc_v2(&at, 1 << 20), CUDA_SUCCESS);
  EXPECT_EQ(d.cuIpcGetMemHandle(&same, at), CUDA_SUCCESS);
  EXPECT_NE(std::memcmp(&handle, &same, sizeof handle), 0);  // "a unique handle for the new memory"
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
}

TEST_F(Ipc, APoolAndItsPointersAreImported) {
  Process other([&](Socket& socket) {
    start();
    const CUmemoryPool pool = exportable_pool();
    CUdeviceptr blocks[2] = {};
    for (auto& block : blocks)
      ASSERT_EQ(d.cuMemAllocFromPoolAsync(&block, 1 << 20, pool, nullptr), CUDA_SUCCESS);
    write(blocks[1], 31);
    CUmemPoolPtrExportData data{};
    ASSERT_EQ(d.cuMemPoolExportPointer(&data, blocks[1]), CUDA_SUCCESS);
    int fd = -1;
    ASSERT_EQ(d.cuMemPoolExportToShareableHandle(&fd, pool, kDescriptor, 0), CUDA_SUCCESS);
    socket.send(data, fd);
    close(fd);
    socket.receive<bool>();
    EXPECT_EQ(read(blocks[1]), 32U);
    for (auto& block : blocks) EXPECT_EQ(d.cuMemFreeAsync(block, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(d.cuStreamSynchronize(nullptr), CUDA_SUCCESS);
    EXPECT_EQ(free_memory(), kMemory);
    // Memory that was freed is not there any more, wherever it is had again.
    ASSERT_EQ(d.cuMemAllocFromPoolAsync(&blocks[0], 2 << 20, pool, nullptr), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
    EXPECT_EQ(d.cuMemFree_v2(blocks[0]), CUDA_SUCCESS);
  });
  start();
  int fd = -1;
  auto data = other.socket().receive<CUmemPoolPtrExportData>(&fd);
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(d.cuMemPoolImportFromShareableHandle(&pool, as_handle(fd), kDescriptor, 0),
            CUDA_SUCCESS);
  close(fd);
  CUdeviceptr at = 0;
  ASSERT_EQ(d.cuMemPoolImportPointer(&at, pool, &data), CUDA_SUCCESS);
  EXPECT_EQ(read(at), 31U);
  write(at, 32);
  CUmemoryPool owner = nullptr;
  EXPECT_EQ(d.cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at), CUDA_SUCCESS);
  EXPECT_EQ(owner, pool);
  CUdeviceptr none = 0;
  EXPECT_EQ(d.cuMemAllocFromPoolAsync(&none, 1, pool, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuDeviceSetMemPool(0, pool), CUDA_ERROR_INVALID_VALUE);
  CUmemPoolPtrExportData again{};
  EXPECT_EQ(d.cuMemPoolExportPointer(&again, at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolImportPointer(&none, pool, &again), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemFreeAsync(at, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
  other.socket().send(true);
}

TEST_F(Ipc, OnlyPoolsMadeForItAreExported) {
  start();
  CUmemoryPool standard = nullptr;
  ASSERT_EQ(d.cuDeviceGetDefaultMemPool(&standard, 0), CUDA_SUCCESS);
  int fd = -1;
  EXPECT_EQ(d.cuMemPoolExportToShareableHandle(&fd, standard, kDescriptor, 0),
            CUDA_ERROR_INVALID_VALUE);
  const CUmemoryPool pool = exportable_pool();
  EXPECT_EQ(d.cuMemPoolExportToShareableHandle(&fd, pool, kDescriptor, 1),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemPoolExportToShareableHandle(&fd, pool, CU_MEM_HANDLE_TYPE_WIN32, 0),
            CUDA_ERROR_NOT_SUPPORTED);
  CUmemoryPool imported = nullptr;
  EXPECT_EQ(d.cuMemPoolImportFromShareableHandle(&imported, as_handle(-1), kDescriptor, 0),
            CUDA_ERROR_INVALID_VALUE);
  // A handle's descriptor is none of a pool.
  const auto handle = create_exportable(kChunk);
  fd = export_handle(handle);
  EXPECT_EQ(d.cuMemPoolImportFromShareableHandle(&imported, as_handle(fd), kDescriptor, 0),
            CUDA_ERROR_INVALID_VALUE);
  close(fd);
  CUdeviceptr at = 0;
  CUmemPoolPtrExportData data{};
  ASSERT_EQ(d.cuMemAllocAsync(&at, 4096, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolExportPointer(&data, at), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(d.cuMemFree_v2(at), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemPoolDestroy(pool), CUDA_SUCCESS);
  EXPECT_EQ(d.cuMemRelease(handle), CUDA_SUCCESS);
}

TEST_F(Ipc, TheDeviceSaysWhatItCanExport) {
  start();
  const auto attribute = [&](CUdevice_attribute wanted) {
    int value = -1;
    EXPECT_EQ(d.cuDeviceGetAttribute(&value, wanted, 0), CUDA_SUCCESS);
    return value;
  };
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED), 1);
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED), 0);
  EXPECT_EQ(attribute(CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES), int{kDescriptor});
}

}  // namespace
}  // namespace gmlake::simcuda::test
