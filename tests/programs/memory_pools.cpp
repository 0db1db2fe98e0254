// Memory pools as programs and libraries use them. What it does is its first argument; each line is
// something that the program can see, and is to be the same with the library in front. Lines that
// begin with "reserved" tell of memory that a pool holds beyond what is in use: with the library it
// may be less than natively, and never less than what is in use.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint64_t kAll = ~std::uint64_t{0};

cudaStream_t stream, other;
cudaMemPool_t device_pool;

void say(const char* what, unsigned long long value) {
  std::printf("%s %llu\n", what, value);
}
void must(int error) {
  if (error == 0) return;
  say("error", static_cast<unsigned>(error));
  std::exit(1);
}

std::uint64_t get(cudaMemPool_t pool, cudaMemPoolAttr which) {
  std::uint64_t value = 77;
  must(cudaMemPoolGetAttribute(pool, which, &value));
  return value;
}
int set(cudaMemPool_t pool, cudaMemPoolAttr which, std::uint64_t value) {
  return cudaMemPoolSetAttribute(pool, which, &value);
}
void flag(cudaMemPool_t pool, cudaMemPoolAttr which, int value) {
  must(cudaMemPoolSetAttribute(pool, which, &value));
}
void figures(const char* when, cudaMemPool_t pool) {
  const auto used = get(pool, cudaMemPoolAttrUsedMemCurrent);
  const auto high = get(pool, cudaMemPoolAttrUsedMemHigh);
  const auto reserved = get(pool, cudaMemPoolAttrReservedMemCurrent);
  const auto reserved_high = get(pool, cudaMemPoolAttrReservedMemHigh);
  std::printf("%s: used %llu high %llu, in order %d\n", when, static_cast<unsigned long long>(used),
              static_cast<unsigned long long>(high),
              used <= reserved && high <= reserved_high && reserved <= reserved_high);
  say("reserved", reserved);
  say("reserved high", reserved_high);
}

cudaMemPool_t make(std::size_t most = 0, cudaMemAllocationHandleType type = cudaMemHandleTypeNone) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.handleTypes = type;
  properties.location = {cudaMemLocationTypeDevice, 0};
  properties.maxSize = most;
  cudaMemPool_t pool = nullptr;
  must(cudaMemPoolCreate(&pool, &properties));
  return pool;
}
void* take(std::size_t mib, cudaStream_t on = stream) {
  void* at = nullptr;
  must(cudaMallocAsync(&at, mib * kMiB, on));
  must(cudaMemsetAsync(at, 1, mib * kMiB, on));
  return at;
}
void* take_from(cudaMemPool_t pool, std::size_t mib, cudaStream_t on = stream) {
  void* at = nullptr;
  must(cudaMallocFromPoolAsync(&at, mib * kMiB, pool, on));
  must(cudaMemsetAsync(at, 1, mib * kMiB, on));
  return at;
}
void give(void* at, cudaStream_t on = stream) {
  must(cudaFreeAsync(at, on));
}
void wait(cudaStream_t on = stream) {
  must(cudaStreamSynchronize(on));
}

// The default pool with all that can be asked of it; memory of cudaMalloc is not its.
void default_figures() {
  figures("new", device_pool);
  void* plain = nullptr;
  must(cudaMalloc(&plain, 48 * kMiB));
  figures("cudaMalloc", device_pool);
  must(set(device_pool, cudaMemPoolAttrReleaseThreshold, kAll));
  auto* a = take(64);
  auto* b = take(32, other);
  figures("two streams", device_pool);
  give(b, other);
  figures("one freed", device_pool);
  wait();
  give(a, other);  // by another stream than it was for
  figures("both freed", device_pool);
  a = take(64);
  must(cudaFree(plain));
  figures("plain freed", device_pool);
  wait();
  must(cudaFree(a));
  figures("freed with no stream", device_pool);
  must(cudaMalloc(&plain, 16 * kMiB));
  give(plain);
  wait();
  figures("plain freed on a stream", device_pool);
  say("set used", static_cast<unsigned>(set(device_pool, cudaMemPoolAttrUsedMemHigh, 0)));
  say("set reserved", static_cast<unsigned>(set(device_pool, cudaMemPoolAttrReservedMemHigh, 0)));
  say("set wrong", static_cast<unsigned>(set(device_pool, cudaMemPoolAttrUsedMemHigh, 5)));
  (void)cudaGetLastError();
  figures("reset", device_pool);
  for (int i = 0; i < 50; ++i) {
    a = take(10);
    b = take(12, other);
    give(a);
    give(b, other);
  }
  figures("in turn", device_pool);
  // Each takes back what it freed last, both at once for the first time.
  must(set(device_pool, cudaMemPoolAttrUsedMemHigh, 0));
  for (int i = 0; i < 20; ++i) {
    a = take(10);
    give(a);
    b = take(12, other);
    give(b, other);
  }
  figures("one after the other", device_pool);
  a = take(10);
  b = take(12, other);
  figures("both at once", device_pool);
  give(a);
  give(b, other);
  wait();
  wait(other);
  must(cudaMemPoolTrimTo(device_pool, 0));
  figures("trimmed", device_pool);
}

// The documented default: nothing is held after a synchronisation.
void no_threshold() {
  auto* a = take(64);
  give(a);
  wait();
  figures("waited", device_pool);
  a = take(64);
  wait();
  figures("again", device_pool);
  give(a);
  a = take(32);
  figures("smaller", device_pool);
  give(a);
  must(cudaDeviceSynchronize());
  figures("device waited", device_pool);
}

std::size_t device_free() {
  std::size_t free = 0, total = 0;
  must(cudaMemGetInfo(&free, &total));
  return free;
}

void threshold() {
  must(set(device_pool, cudaMemPoolAttrReleaseThreshold, 64 * kMiB));
  say("threshold", get(device_pool, cudaMemPoolAttrReleaseThreshold));
  std::vector<void*> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(take(32));
  for (auto* at : blocks) give(at);
  wait();
  figures("above it", device_pool);
  blocks.assign(1, take(32));
  give(blocks[0]);
  wait();
  figures("below it", device_pool);
  must(set(device_pool, cudaMemPoolAttrReleaseThreshold, 0));
  wait();
  figures("none", device_pool);
  // What is pending when another stream is waited for goes with its own.
  auto* a = take(32);
  auto* b = take(32, other);
  give(a);
  give(b, other);
  wait();
  wait(other);
  figures("both waited for", device_pool);
  say("free", device_free() / kMiB);
}

void own() {
  auto* mine = make();
  say("threshold", get(mine, cudaMemPoolAttrReleaseThreshold));
  figures("new", mine);
  auto* a = take_from(mine, 64);
  auto* b = take(32);
  figures("mine", mine);
  figures("device's", device_pool);
  give(a);
  figures("mine freed", mine);
  a = take(64);  // may be the same memory
  figures("mine", mine);
  figures("device's", device_pool);
  give(a);
  give(b);
  wait();
  must(set(mine, cudaMemPoolAttrReleaseThreshold, kAll));
  for (int i = 0; i < 10; ++i) {
    a = take_from(mine, 16);
    b = take_from(mine, 16, other);
    give(a);
    wait(other);
    must(cudaFree(b));
  }
  wait();
  wait(other);
  figures("mine kept", mine);
  figures("device's", device_pool);
  must(cudaMemPoolTrimTo(mine, 16 * kMiB));
  figures("trimmed to", mine);
  must(cudaMemPoolTrimTo(mine, 0));
  figures("trimmed", mine);
  must(set(mine, cudaMemPoolAttrUsedMemHigh, 0));
  must(set(mine, cudaMemPoolAttrReservedMemHigh, 0));
  figures("reset", mine);
  must(cudaMemPoolDestroy(mine));
  say("free", device_free() / kMiB);
}

void limit() {
  auto* mine = make(64 * kMiB);
  auto* a = take_from(mine, 32);
  void* b = nullptr;
  say("beyond", cudaMallocFromPoolAsync(&b, 48 * kMiB, mine, stream));
  say("last", cudaGetLastError());
  say("far beyond", cudaMallocFromPoolAsync(&b, std::size_t{1} << 60, mine, stream));
  say("last", cudaGetLastError());
  b = take_from(mine, 32);
  figures("full", mine);
  give(a);
  a = take_from(mine, 32);
  figures("full again", mine);
  give(a);
  give(b);
  must(cudaDeviceSetMemPool(0, mine));
  say("current beyond", cudaMallocAsync(&b, 128 * kMiB, stream));
  say("last", cudaGetLastError());
  wait();
  must(cudaMemPoolDestroy(mine));
}

void current() {
  auto* mine = make();
  auto* shared = make(0, cudaMemHandleTypePosixFileDescriptor);
  const auto which = [&](const char* when) {
    cudaMemPool_t found = nullptr;
    must(cudaDeviceGetMemPool(&found, 0));
    std::printf("%s %s\n", when, found == mine ? "mine" : found == shared ? "shared" : "device's");
  };
  auto* a = take(8);
  must(cudaDeviceSetMemPool(0, mine));
  which("set");
  auto* b = take(16);
  must(cudaDeviceSetMemPool(0, shared));
  which("set");
  auto* c = take(32);
  figures("device's", device_pool);
  figures("mine", mine);
  figures("shared", shared);
  int descriptor = -1;
  say("export", cudaMemPoolExportToShareableHandle(&descriptor, shared,
                                                   cudaMemHandleTypePosixFileDescriptor, 0));
  cudaMemPoolPtrExportData data;
  say("export pointer", cudaMemPoolExportPointer(&data, c));
  auto* d = take_from(device_pool, 4);
  figures("device's", device_pool);
  cudaMemLocation here{cudaMemLocationTypeDevice, 0};
  must(cudaMemSetMemPool(&here, cudaMemAllocationTypePinned, mine));
  which("set");
  auto* e = take(2);
  figures("mine", mine);
  for (auto* at : {a, b, c, d, e}) give(at);
  wait();
  must(cudaMemPoolDestroy(mine));
  which("destroyed");
  must(cudaDeviceSetMemPool(0, shared));
  must(cudaMemPoolDestroy(shared));
  which("destroyed");
  a = take(8);
  figures("device's", device_pool);
  give(a);
  say("destroy the device's", cudaMemPoolDestroy(device_pool));
  say("set none", cudaDeviceSetMemPool(0, nullptr));
  which("then");
}

// Memory outlives its pool, and another pool may get the same handle.
void destroyed() {
  auto* mine = make();
  auto* a = take_from(mine, 16);
  auto* b = take_from(mine, 16);
  must(cudaMemPoolDestroy(mine));
  must(cudaMemsetAsync(a, 2, 16 * kMiB, stream));
  for (int i = 0; i < 600; ++i) {
    auto* next = make(i % 2 ? 64 * kMiB : 0,
                      i % 3 ? cudaMemHandleTypeNone : cudaMemHandleTypePosixFileDescriptor);
    auto* c = take_from(next, 2);
    if (get(next, cudaMemPoolAttrUsedMemCurrent) != 2 * kMiB) say("wrong figures", 1);
    give(c);
    must(cudaMemPoolDestroy(next));
  }
  std::vector<cudaMemPool_t> many;
  for (int i = 0; i < 300; ++i) {
    many.push_back(make());
    give(take_from(many.back(), 2));
  }
  figures("the last of many", many.back());
  for (auto* pool : many) must(cudaMemPoolDestroy(pool));
  give(a);
  wait();
  must(cudaFree(b));
  say("twice", cudaFree(b));
  (void)cudaGetLastError();
  wait();
  figures("device's", device_pool);
  say("free", device_free() / kMiB);
}

// Whether small memory counts as what was asked for, or as more. For a GPU: simcuda has pages.
void small() {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{513}, std::size_t{1000}, kMiB + 1}) {
    void* at = nullptr;
    must(cudaMallocAsync(&at, bytes, stream));
    figures("small", device_pool);
    give(at);
    wait();
  }
}

// Memory that one stream has freed, wanted by another: by the program's order, since the work is
// over, or by a wait that is put in. One of the three is switched on or off, the others are off.
void take_from_another(const char* which, int on) {
  const struct {
    const char* name;
    cudaMemPoolAttr attribute;
  } switches[] = {{"order", cudaMemPoolReuseFollowEventDependencies},
                  {"completed", cudaMemPoolReuseAllowOpportunistic},
                  {"waits", cudaMemPoolReuseAllowInternalDependencies}};
  for (const auto& one : switches)
    flag(device_pool, one.attribute, std::strcmp(one.name, which) == 0 ? on : 0);
  const bool completed = std::strcmp(which, "completed") == 0;
  give(take(2, other), other);
  wait(other);
  auto* a = take(192);
  must(cudaLaunchHostFunc(
      stream, [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }, nullptr));
  give(a);
  std::atomic<bool> over{false};
  must(cudaLaunchHostFunc(
      stream, [](void* flag) { *static_cast<std::atomic<bool>*>(flag) = true; }, &over));
  if (std::strcmp(which, "order") == 0) {
    cudaEvent_t event = nullptr;
    must(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    must(cudaEventRecord(event, stream));
    must(cudaStreamWaitEvent(other, event, 0));
  }
  while (completed && !over) std::this_thread::yield();
  auto* b = take(192, other);
  figures("taken", device_pool);
  give(b, other);
  must(cudaDeviceSynchronize());
}

// A handle is used after its pool is gone, and by the next pool that has it.
void gone() {
  auto* mine = make();
  give(take_from(mine, 16));
  wait();
  must(cudaMemPoolDestroy(mine));
  void* block = nullptr;
  std::uint64_t value = 0;
  say("take", cudaMallocFromPoolAsync(&block, kMiB, mine, stream));
  say("trim", cudaMemPoolTrimTo(mine, 0));
  say("get", cudaMemPoolGetAttribute(mine, cudaMemPoolAttrUsedMemCurrent, &value));
  say("set", cudaMemPoolSetAttribute(mine, cudaMemPoolAttrReleaseThreshold, &value));
  say("make current", cudaDeviceSetMemPool(0, mine));
  say("destroy", cudaMemPoolDestroy(mine));
  (void)cudaGetLastError();
  for (int i = 0; i < 600; ++i) {
    auto* next = make();
    give(take_from(next, 2));
    must(cudaMemPoolDestroy(next));
  }
  wait();
}

}  // namespace

int main(int, char** arguments) {
  const char* what = arguments[1] ? arguments[1] : "";
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  must(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  must(cudaDeviceGetDefaultMemPool(&device_pool, 0));
  if (std::strcmp(what, "from another") == 0) {
    take_from_another(arguments[2], std::atoi(arguments[3]));
    std::printf("end\n");
    return 0;
  }
  const struct {
    const char* name;
    void (*step)();
  } steps[] = {{"default", default_figures},
               {"no threshold", no_threshold},
               {"threshold", threshold},
               {"own", own},
               {"limit", limit},
               {"current", current},
               {"destroyed", destroyed},
               {"gone", gone},
               {"small", small}};
  for (const auto& step : steps)
    if (std::strcmp(step.name, what) == 0) {
      step.step();
      std::printf("end\n");
      return 0;
    }
  return 2;
}
