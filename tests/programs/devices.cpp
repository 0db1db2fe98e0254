// Two devices: copies and sets of the other one's memory, and what the program has enabled between
// them. Prints the answers, which are to be the same with and without the library in front; with
// "apart", of devices that can not be peers; with "ask", whether a device's memory is asked for
// where another device is current.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)
#define SAY(call) std::printf("%s: %d\n", #call, static_cast<int>(call))

unsigned char* make(int device, std::size_t bytes, int value) {
  void* at = nullptr;
  CHECK(cudaSetDevice(device));
  CHECK(cudaMalloc(&at, bytes));
  CHECK(cudaMemset(at, value, bytes));
  CHECK(cudaDeviceSynchronize());
  return static_cast<unsigned char*>(at);
}

void* make_async(cudaStream_t stream, std::size_t bytes) {
  void* at = nullptr;
  CHECK(cudaMallocAsync(&at, bytes, stream));
  CHECK(cudaStreamSynchronize(stream));
  return at;
}

// Device 0 is current.
void copies(unsigned char* here, unsigned char* there, cudaStream_t there_on, std::size_t bytes) {
  std::vector<unsigned char> host(bytes, 9);
  const auto holds = [&](const void* at, int value) {
    CHECK(cudaMemcpy(host.data(), at, bytes, cudaMemcpyDefault));
    for (const auto one : host)
      if (one != value) return false;
    return true;
  };
  // The other device's stream, but a copy is of who is current.
  SAY(cudaMemcpyAsync(here, there, bytes, cudaMemcpyDefault, there_on));
  CHECK(cudaStreamSynchronize(there_on));
  std::printf("first, on its stream: %d\n", holds(here, 2));
  CHECK(cudaMemset(here, 1, bytes));
  CHECK(cudaDeviceSynchronize());
  std::printf("at first: %d\n", holds(there, 2));
  std::memset(host.data(), 9, bytes);
  SAY(cudaMemcpy(there, host.data(), bytes, cudaMemcpyHostToDevice));
  std::printf("from the host: %d\n", holds(there, 9));
  SAY(cudaMemcpy(there, here, bytes, cudaMemcpyDeviceToDevice));
  std::printf("from here: %d\n", holds(there, 1));
  CHECK(cudaMemset(here, 3, bytes));
  SAY(cudaMemcpyAsync(there, here, bytes, cudaMemcpyDefault, nullptr));
  CHECK(cudaDeviceSynchronize());
  std::printf("from here again: %d\n", holds(there, 3));
  CHECK(cudaMemset(here, 4, bytes));
  CHECK(cudaDeviceSynchronize());
  SAY(cudaMemcpyAsync(there, here, bytes, cudaMemcpyDefault, there_on));
  CHECK(cudaStreamSynchronize(there_on));
  std::printf("on its stream: %d\n", holds(there, 4));
  SAY(cudaMemcpy2D(there, 512, host.data(), 512, 256, bytes / 512, cudaMemcpyDefault));
  CHECK(cudaMemset(here, 5, bytes));
  SAY(cudaMemcpyPeer(there, 1, here, 0, bytes));
  CHECK(cudaDeviceSynchronize());
  std::printf("peer: %d\n", holds(there, 5));
  SAY(cudaMemset(there, 0, bytes));
  SAY(cudaMemsetAsync(there, 0, bytes, nullptr));
}

void what_is_enabled() {
  auto* const there = make(1, 4 * kMiB, 2);
  CHECK(cudaSetDevice(0));
  const auto set = [&](void* at) { return cudaMemset(at, 7, 100); };
  SAY(set(there));
  SAY(cudaDeviceEnablePeerAccess(0, 0));
  SAY(cudaDeviceEnablePeerAccess(1, 1));
  SAY(cudaDeviceEnablePeerAccess(1, 0));
  SAY(cudaDeviceEnablePeerAccess(1, 0));
  SAY(set(there));
  auto* const later = make(1, 64 * kMiB, 3);
  CHECK(cudaSetDevice(0));
  SAY(set(later + 40 * kMiB));
  SAY(cudaDeviceDisablePeerAccess(1));
  SAY(cudaDeviceDisablePeerAccess(1));
  SAY(set(there));
  SAY(set(later));
  unsigned char value = 0;
  SAY(cudaMemcpy(&value, later + 40 * kMiB, 1, cudaMemcpyDefault));
  std::printf("value %d\n", value);
  SAY(set(later));
  (void)cudaGetLastError();
  CHECK(cudaFree(there));
  CHECK(cudaFree(later));
}

void what_a_pool_allows(cudaStream_t there_on) {
  void* const there = make_async(there_on, 4 * kMiB);
  unsigned char value = 0;
  const auto copy = [&](void* at) { return cudaMemcpy(&value, at, 1, cudaMemcpyDefault); };
  cudaMemPool_t pool = nullptr;
  CHECK(cudaDeviceGetDefaultMemPool(&pool, 1));
  cudaMemAccessDesc access{};
  access.location = {cudaMemLocationTypeDevice, 0};
  SAY(copy(there));
  access.flags = cudaMemAccessFlagsProtReadWrite;
  SAY(cudaMemPoolSetAccess(pool, &access, 1));
  SAY(copy(there));
  void* const later = make_async(there_on, 64 * kMiB);
  SAY(copy(later));
  access.flags = cudaMemAccessFlagsProtNone;
  SAY(cudaMemPoolSetAccess(pool, &access, 1));
  SAY(copy(there));
  SAY(copy(later));
  access.location.id = 1;
  SAY(cudaMemPoolSetAccess(pool, &access, 1));
  (void)cudaGetLastError();
  CHECK(cudaFreeAsync(there, there_on));
  CHECK(cudaFreeAsync(later, there_on));
}

// A pool of the program's own has its own access, and neither kind of access is the other's.
void what_its_own_pool_allows(cudaStream_t there_on) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, 1};
  cudaMemPool_t pool = nullptr, other = nullptr;
  CHECK(cudaMemPoolCreate(&pool, &properties));
  CHECK(cudaMemPoolCreate(&other, &properties));
  unsigned char value = 0;
  const auto copy = [&](void* at) { return cudaMemcpy(&value, at, 1, cudaMemcpyDefault); };
  const auto set = [&](void* at) { return cudaMemset(at, 7, 100); };
  const auto from = [&](cudaMemPool_t source, std::size_t bytes) {
    void* at = nullptr;
    CHECK(cudaMallocFromPoolAsync(&at, bytes, source, there_on));
    CHECK(cudaStreamSynchronize(there_on));
    return at;
  };
  void* const mine = from(pool, 4 * kMiB);
  void* const its = from(other, 4 * kMiB);
  auto* const plain = make(1, 4 * kMiB, 2);
  CHECK(cudaSetDevice(0));
  cudaMemAccessDesc access{};
  access.location = {cudaMemLocationTypeDevice, 0};
  access.flags = cudaMemAccessFlagsProtReadWrite;
  SAY(copy(mine));
  SAY(cudaMemPoolSetAccess(pool, &access, 1));
  cudaMemAccessFlags flags{};
  SAY(cudaMemPoolGetAccess(&flags, pool, &access.location));
  std::printf("flags %d\n", flags);
  SAY(copy(mine));
  SAY(set(mine));
  void* const later = from(pool, 32 * kMiB);
  SAY(set(later));
  SAY(copy(its));
  SAY(set(plain));
  SAY(cudaDeviceEnablePeerAccess(1, 0));
  SAY(copy(its));
  SAY(set(plain));
  access.flags = cudaMemAccessFlagsProtNone;
  SAY(cudaMemPoolSetAccess(pool, &access, 1));
  SAY(copy(mine));
  SAY(set(plain));
  SAY(cudaDeviceDisablePeerAccess(1));
  SAY(set(plain));
  (void)cudaGetLastError();
  for (auto* const at : {mine, its, later}) CHECK(cudaFreeAsync(at, there_on));
  CHECK(cudaFree(plain));
  CHECK(cudaMemPoolDestroy(pool));
  CHECK(cudaMemPoolDestroy(other));
}

// Device 0 is nearly full; device 1 is asked for nearly all of its 512 MiB.
void ask(cudaStream_t there_on) {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemGenericAllocationHandle handle = 0;
  CHECK(cuMemCreate(&handle, 480 * kMiB, &properties, 0));
  CHECK(cudaFreeAsync(make_async(there_on, 510 * kMiB), there_on));
}

// In stream order: what is given to the stream of either device first has happened then.
void apart(cudaStream_t there_on, std::size_t bytes) {
  auto* const here = make(0, bytes, 1);
  auto* const there = make(1, bytes, 2);
  CHECK(cudaSetDevice(0));
  copies(here, there, there_on, bytes);
  cudaStream_t on = nullptr;
  CHECK(cudaStreamCreateWithFlags(&on, cudaStreamNonBlocking));
  CHECK(cudaMemsetAsync(here, 8, bytes, on));
  SAY(cudaMemcpyAsync(there, here, bytes, cudaMemcpyDefault, on));
  CHECK(cudaMemsetAsync(here, 9, bytes, on));
  std::vector<unsigned char> host(bytes);
  SAY(cudaMemcpyAsync(host.data(), there, bytes, cudaMemcpyDeviceToHost, on));
  CHECK(cudaStreamSynchronize(on));
  std::printf("in order: %d %d\n", host.front(), host.back());
  CHECK(cudaStreamDestroy(on));
  CHECK(cudaFree(here));
  CHECK(cudaFree(there));
}

}  // namespace

int main(int count, char** arguments) {
  cudaStream_t there_on = nullptr;
  CHECK(cudaSetDevice(1));
  CHECK(cudaStreamCreate(&there_on));
  CHECK(cudaSetDevice(0));
  if (count > 1 && std::strcmp(arguments[1], "apart") == 0) {
    for (const std::size_t bytes : {std::size_t{4096}, 5 * kMiB}) apart(there_on, bytes);
    SAY(cudaDeviceEnablePeerAccess(1, 0));
    return 0;
  }
  if (count > 1) {
    CHECK(cudaFree(nullptr));
    ask(there_on);
    return 0;
  }
  for (const std::size_t bytes : {std::size_t{4096}, 5 * kMiB}) {
    auto* const here = make(0, bytes, 1);
    auto* const there = make(1, bytes, 2);
    CHECK(cudaSetDevice(0));
    copies(here, there, there_on, bytes);
    CHECK(cudaFree(here));
    CHECK(cudaFree(there));
  }
  what_a_pool_allows(there_on);
  what_is_enabled();
  what_its_own_pool_allows(there_on);
  CHECK(cudaSetDevice(1));
  SAY(cudaDeviceEnablePeerAccess(0, 0));
  SAY(cudaDeviceReset());
  CHECK(cudaSetDevice(0));
  auto* const again = make(1, 4 * kMiB, 2);
  CHECK(cudaSetDevice(0));
  SAY(cudaMemset(again, 7, 100));
  return 0;
}
