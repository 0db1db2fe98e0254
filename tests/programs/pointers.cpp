// What programs ask about their memory before they register it, share it or hand it to a network
// card: prints the answers, which are to be the same with and without the library in front.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace {

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

constexpr std::size_t kMiB = std::size_t{1} << 20;
std::set<unsigned long long> ids;

CUdeviceptr address(const void* at) {
  return reinterpret_cast<CUdeviceptr>(at);
}

void ids_differ(const char* what, const void* at) {
  unsigned long long id = 0;
  CHECK(cuPointerGetAttribute(&id, CU_POINTER_ATTRIBUTE_BUFFER_ID, address(at)));
  std::printf("%s: an id of its own %d\n", what, ids.insert(id).second);
}

void* mapped() {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  const CUmemAccessDesc access{properties.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  CUmemGenericAllocationHandle handle = 0;
  CUdeviceptr at = 0;
  CHECK(cuMemCreate(&handle, 2 * kMiB, &properties, 0));
  CHECK(cuMemAddressReserve(&at, 2 * kMiB, 0, 0, 0));
  CHECK(cuMemMap(at, 2 * kMiB, 0, handle, 0));
  CHECK(cuMemSetAccess(at, 2 * kMiB, &access, 1));
  return reinterpret_cast<void*>(at);
}

void what_the_runtime_says(const char* what, void* start, std::size_t bytes) {
  cudaPointerAttributes seen{};
  void* const at = static_cast<char*>(start) + bytes / 2;
  const int result = cudaPointerGetAttributes(&seen, at);
  std::printf("%s: %d type %d device %d here %d host %d\n", what, result, seen.type, seen.device,
              seen.devicePointer == at, seen.hostPointer != nullptr);
}

// Copies and sets of memory that was freed are refused; those of nothing are not.
void what_freed_memory_takes(const char* what, void* start, std::size_t bytes) {
  static unsigned char host[4096];
  void* const inside = static_cast<char*>(start) + bytes / 2;
  const auto at = address(start);
  std::printf("%s: set %d %d %d %d\n", what, cuMemsetD8(at, 0, 1),
              cuMemsetD32Async(address(inside) & ~CUdeviceptr{3}, 0, 1, nullptr),
              cudaMemset(start, 0, 1), cudaMemset2D(start, 16, 0, 1, 2));
  std::printf("%s: copied %d %d %d %d\n", what, cuMemcpyHtoD(at, host, 1),
              cudaMemcpy(host, inside, 1, cudaMemcpyDeviceToHost),
              cudaMemcpyAsync(inside, host, 1, cudaMemcpyHostToDevice, nullptr),
              cudaMemcpy2D(host, 16, start, 16, 1, 2, cudaMemcpyDeviceToHost));
  std::printf("%s: nothing %d %d\n", what, cudaMemset(start, 0, 0),
              cudaMemcpy(host, start, 0, cudaMemcpyDeviceToHost));
  (void)cudaGetLastError();
}

// Freed beside blocks that stay.
void freed_memory() {
  for (const std::size_t bytes : {std::size_t{3000}, kMiB, 6 * kMiB}) {
    void* blocks[5] = {};
    for (auto& block : blocks) CHECK(cudaMalloc(&block, bytes));
    std::printf("freed, of %zu bytes\n", bytes);
    CHECK(cudaFree(blocks[1]));
    what_freed_memory_takes("cudaFree", blocks[1], bytes);
    what_freed_memory_takes("in use", blocks[2], bytes);
    CHECK(cudaFree(blocks[3]));
    CHECK(cudaDeviceSynchronize());
    what_freed_memory_takes("waited for", blocks[3], bytes);
    void* async = nullptr;
    CHECK(cudaMallocAsync(&async, bytes, nullptr));
    what_freed_memory_takes("a stream's", async, bytes);
    CHECK(cudaFreeAsync(async, nullptr));
    CHECK(cudaDeviceSynchronize());
    what_freed_memory_takes("cudaFreeAsync", async, bytes);
    for (const int i : {0, 2, 4}) CHECK(cudaFree(blocks[i]));
  }
}

std::atomic<bool> opened{false};

// Whether a call waits for work that the default stream has ahead.
template <typename Call>
void waits(const char* what, Call call) {
  opened = false;
  CHECK(cudaLaunchHostFunc(
      nullptr,
      [](void*) {
        while (!opened) std::this_thread::yield();
      },
      nullptr));
  std::thread later([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    opened = true;
  });
  CHECK(call());
  std::printf("%s: waits %d\n", what, opened.load());
  later.join();
  CHECK(cudaDeviceSynchronize());
}

}  // namespace

int main(int count, char**) {
  const bool pages = count > 1;  // whether large blocks are to begin on one of 64 KiB
  std::vector<void*> blocks;
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{3000}, kMiB, kMiB + 1, 3 * kMiB + 5, 8 * kMiB, 40 * kMiB}) {
    void* plain = nullptr;
    void* async = nullptr;
    CHECK(cudaMalloc(&plain, bytes));
    CHECK(cudaMallocAsync(&async, bytes, nullptr));
    std::printf("%zu bytes\n", bytes);
    if (pages && bytes >= kMiB && address(plain) % (64 << 10) != 0) std::puts("not on a page");
    ids_differ("cudaMalloc", plain);
    ids_differ("cudaMallocAsync", async);
    what_the_runtime_says("cudaMalloc", plain, bytes);
    what_the_runtime_says("cudaMallocAsync", async, bytes);
    CHECK(cudaFree(plain));
    what_the_runtime_says("freed", plain, bytes);
    CHECK(cudaMalloc(&plain, bytes));
    ids_differ("again", plain);
    blocks.push_back(plain);
    CHECK(cudaFreeAsync(async, nullptr));
  }
  ids_differ("mapped", mapped());
  void* managed = nullptr;
  CHECK(cudaMallocManaged(&managed, 4096, cudaMemAttachGlobal));

  void *first = nullptr, *second = nullptr;
  CHECK(cudaMalloc(&first, kMiB));
  CHECK(cudaMallocAsync(&second, kMiB, nullptr));
  CHECK(cudaDeviceSynchronize());
  const auto copy = [&] { return cudaMemcpy(first, second, kMiB, cudaMemcpyDeviceToDevice); };
  const auto copy_async = [&] {
    return cudaMemcpyAsync(first, second, kMiB, cudaMemcpyDefault, nullptr);
  };
  const auto set = [&] { return cudaMemset(second, 1, kMiB); };
  waits("copy", copy);
  waits("set", set);
  for (const unsigned on : {1U, 0U}) {
    CHECK(cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, address(second) + 500));
    std::printf("synchronous %u\n", on);
    waits("copy", copy);
    waits("copy without waiting", copy_async);
    waits("set", set);
  }
  const unsigned two = 2;
  std::printf("two %d, freed %d\n",
              cuPointerSetAttribute(&two, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, address(second)),
              (CHECK(cudaFree(first)),
               cuPointerSetAttribute(&two, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, address(first))));
  std::printf("free of nothing %d\n", cudaFreeAsync(nullptr, nullptr));
  CHECK(cudaFreeAsync(second, nullptr));
  for (void* block : blocks) CHECK(cudaFree(block));
  freed_memory();
  return 0;
}
