// Takes memory of the device in all the ways there are beside the pool, as much as it gets: what it
// does is its first argument, how many MiB a piece has its second; a call and its result are one
// line each.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kMost = 64;

void say(const char* what, unsigned long long value) {
  std::printf("%s %llu\n", what, value);
  std::fflush(stdout);
}

CUmemAllocationProp on_device() {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  return properties;
}

// Until one fails: how many there were, and why.
template <typename Piece, typename Take>
std::vector<Piece> take_all(Take take) {
  std::vector<Piece> pieces;
  Piece piece{};
  int error = 0;
  while (pieces.size() < kMost && (error = static_cast<int>(take(&piece))) == 0)
    pieces.push_back(piece);
  say("pieces", pieces.size());
  say("error", static_cast<unsigned long long>(error));
  return pieces;
}

void blocks(std::size_t bytes) {
  for (int round = 0; round < 2; ++round)
    for (void* block : take_all<void*>([&](void** out) { return cudaMalloc(out, bytes); }))
      if (cudaFree(block) != cudaSuccess) say("free failed", 1);
}

void stream_blocks(std::size_t bytes) {
  for (int round = 0; round < 2; ++round) {
    for (void* block :
         take_all<void*>([&](void** out) { return cudaMallocAsync(out, bytes, nullptr); }))
      if (cudaFreeAsync(block, nullptr) != cudaSuccess) say("free failed", 1);
    say("wait", cudaDeviceSynchronize());
  }
}

void pitched(std::size_t bytes) {
  std::size_t pitch = 0;
  for (int round = 0; round < 2; ++round)
    for (const auto block : take_all<CUdeviceptr>(
             [&](CUdeviceptr* out) { return cuMemAllocPitch(out, &pitch, kMiB, bytes / kMiB, 4); }))
      if (cuMemFree(block) != CUDA_SUCCESS) say("free failed", 1);
}

// A handle, a mapping and a handle again of the same memory keep it.
void handles(std::size_t bytes) {
  const auto properties = on_device();
  const auto take = [&](CUmemGenericAllocationHandle* out) {
    return cuMemCreate(out, bytes, &properties, 0);
  };
  auto made = take_all<CUmemGenericAllocationHandle>(take);
  if (made.empty()) return;
  CUdeviceptr at = 0;
  CUmemGenericAllocationHandle again = 0;
  say("reserve", cuMemAddressReserve(&at, bytes, 0, 0, 0));
  say("map", cuMemMap(at, bytes, 0, made[0], 0));
  say("release", cuMemRelease(made[0]));
  say("while mapped", take(&again));
  say("retain", cuMemRetainAllocationHandle(&again, reinterpret_cast<void*>(at + kMiB)));
  say("unmap", cuMemUnmap(at, bytes));
  say("while retained", take(&made[0]));
  say("release", cuMemRelease(again));
  say("after", take(&made[0]));
  say("wrong release", cuMemRelease(CUmemGenericAllocationHandle{0x123456}) != CUDA_SUCCESS);
  say("wrong unmap", cuMemUnmap(at, bytes) != CUDA_SUCCESS);
  for (const auto handle : made)
    if (cuMemRelease(handle) != CUDA_SUCCESS) say("release failed", 1);
  take_all<CUmemGenericAllocationHandle>(take);
}

void memory_pool(std::size_t bytes) {
  CUmemPoolProps properties{};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.handleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  CUmemoryPool pool = nullptr;
  say("pool", cuMemPoolCreate(&pool, &properties));
  for (int round = 0; round < 2; ++round) {
    for (const auto block : take_all<CUdeviceptr>(
             [&](CUdeviceptr* out) { return cuMemAllocFromPoolAsync(out, bytes, pool, nullptr); }))
      if (cuMemFreeAsync(block, nullptr) != CUDA_SUCCESS) say("free failed", 1);
    say("wait", cuCtxSynchronize());
  }
  say("destroy", cuMemPoolDestroy(pool));
}

// All that the pool can have, used and given back to it.
void use(std::size_t bytes) {
  void* block = nullptr;
  say("malloc", cudaMalloc(&block, bytes));
  say("set", cudaMemset(block, 1, bytes));
  say("free", cudaFree(block));
  say("wait", cudaDeviceSynchronize());
}

}  // namespace

int main(int, char** arguments) {
  const std::string what = arguments[1] ? arguments[1] : "";
  const auto bytes = std::strtoull(arguments[2] ? arguments[2] : "256", nullptr, 10) * kMiB;
  say("start", cudaFree(nullptr));
  if (what == "blocks") blocks(bytes);
  if (what == "stream_blocks") stream_blocks(bytes);
  if (what == "pitched") pitched(bytes);
  if (what == "handles") handles(bytes);
  if (what == "pool") memory_pool(bytes);
  if (what == "handles_behind_pool") {
    use(4 * bytes);
    take_all<CUmemGenericAllocationHandle>([&](CUmemGenericAllocationHandle* out) {
      const auto properties = on_device();
      return cuMemCreate(out, bytes, &properties, 0);
    });
    use(bytes);
  }
  if (what == "info") {
    std::size_t free = 0, total = 0;
    void* block = nullptr;
    CUmemGenericAllocationHandle handle = 0;
    const auto properties = on_device();
    say("malloc", cudaMalloc(&block, bytes));
    say("create", cuMemCreate(&handle, bytes, &properties, 0));
    say("info", cudaMemGetInfo(&free, &total));
    say("free", free / kMiB);
    say("total", total / kMiB);
  }
  // Used at once, and then in a loop that comes by after so many milliseconds.
  if (what == "idle") {
    const auto milliseconds = std::strtoul(arguments[3], nullptr, 10);
    const auto rounds = std::strtoul(arguments[4], nullptr, 10);
    for (unsigned long round = 0; round < rounds; ++round) {
      use(bytes);
      say("idle", round);
      usleep(static_cast<useconds_t>(milliseconds * 1000));
    }
  }
  return 0;
}
