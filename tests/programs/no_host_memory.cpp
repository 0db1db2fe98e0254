// Has no host memory for the library that is preloaded: one of its allocations fails, or it and all
// after it. One child for each allocation that the library makes, until the end of its exit(): it
// uses CUDA in many ways, must be told what it would be without the library, find its memory as it
// wrote it, and end as it would.
//
//   no_host_memory once|ever [stride [first]]
//
// Prints how many children there were; a wrong one, and why.
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>

// By its own name: which one cuCtxCreate is depends on the header.
extern "C" CUresult cuCtxCreate_v2(CUcontext* context, unsigned flags, CUdevice device);

namespace {

std::uintptr_t library_start = 0, library_end = 0;
std::atomic<std::int64_t> left{0};  // allocations of the library before the one that fails
bool once = true;
bool armed = false;
std::atomic<bool>* something_failed = nullptr;  // shared with the child

bool fails(const void* from) {
  const auto at = reinterpret_cast<std::uintptr_t>(from);
  if (!armed || at < library_start || at >= library_end) return false;
  const auto before = left.fetch_sub(1);
  const bool now = once ? before == 0 : before <= 0;
  if (now) *something_failed = true;
  return now;
}

int find_library(dl_phdr_info* info, std::size_t, void*) {
  if (!std::strstr(info->dlpi_name, "libgmlake.so")) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    library_start = info->dlpi_addr + part.p_vaddr;
    library_end = library_start + part.p_memsz;
  }
  return 1;
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  if (fails(__builtin_return_address(0))) return ENOMEM;
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}
}

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// What a child answers.
constexpr int kRight = 0, kWrong = 1;

void check(const char* what, int result, int expected = 0) {
  if (result == expected) return;
  std::printf("%s: %d instead of %d\n", what, result, expected);
  std::fflush(stdout);
  _exit(kWrong);
}
#define CHECK(call) check(#call, call)

struct Block {
  char* at = nullptr;
  std::size_t size = 0;
  unsigned char value = 0;
};

Block get(std::size_t size, cudaStream_t stream) {
  static unsigned char values = 0;
  Block block{nullptr, size, ++values};
  CHECK(cudaMallocAsync(reinterpret_cast<void**>(&block.at), size, stream));
  CHECK(cudaMemsetAsync(block.at, block.value, size, stream));
  return block;
}
void look(const Block& block, cudaStream_t stream) {
  for (const std::size_t at : std::vector<std::size_t>{0, block.size / 2, block.size - 1}) {
    unsigned char value = 0;
    CHECK(cudaMemcpyAsync(&value, block.at + at, 1, cudaMemcpyDeviceToHost, stream));
    CHECK(cudaStreamSynchronize(stream));
    check("value", value, block.value);
  }
}
void give(const Block& block, cudaStream_t stream) {
  look(block, stream);
  CHECK(cudaFreeAsync(block.at, stream));
}

// Blocks go from stream to stream, behind events.
void pass_on(const std::vector<cudaStream_t>& streams, cudaEvent_t event) {
  for (std::size_t i = 0; i + 1 < streams.size(); ++i) {
    const auto block = get((i % 3 + 1) * kMiB / 2 + 512 * i, streams[i]);
    CHECK(cudaEventRecord(event, streams[i]));
    CHECK(cudaStreamWaitEvent(streams[i + 1], event, 0));
    give(block, streams[i + 1]);
    (void)cudaEventQuery(event);
    CHECK(cudaEventSynchronize(event));
  }
}

void small_ones() {
  std::vector<void*> blocks(600);
  for (auto& block : blocks) CHECK(cudaMalloc(&block, 600));
  for (auto* block : blocks) CHECK(cudaFree(block));
}

// Every other block is freed, and their memory wanted in one piece.
void stitch(cudaStream_t stream) {
  std::vector<Block> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(get(2 * kMiB, stream));
  for (std::size_t i = 0; i < blocks.size(); i += 2) give(blocks[i], stream);
  give(get(9 * kMiB, stream), stream);
  for (std::size_t i = 1; i < blocks.size(); i += 2) give(blocks[i], stream);
  void* none = nullptr;
  check("too much", cudaMalloc(&none, 4096 * kMiB), cudaErrorMemoryAllocation);
  check("last error", cudaGetLastError(), cudaErrorMemoryAllocation);
}

void capture(cudaStream_t stream, cudaEvent_t event) {
  cudaGraph_t graph = nullptr, other = nullptr;
  cudaGraphNode_t node = nullptr;
  cudaGraphExec_t program = nullptr;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  CHECK(cudaFreeAsync(get(kMiB, stream).at, stream));
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&program, graph, 0));
  CHECK(cudaGraphLaunch(program, stream));
  CHECK(cudaStreamSynchronize(stream));
  CHECK(cudaGraphExecDestroy(program));
  CHECK(cudaGraphDestroy(graph));
  CHECK(cudaGraphCreate(&other, 0));
  CHECK(cudaGraphAddEventRecordNode(&node, other, nullptr, 0, event));
  CHECK(cudaGraphDestroy(other));
}

void in_a_thread() {
  std::thread([] { give(get(3 * kMiB, cudaStreamPerThread), cudaStreamPerThread); }).join();
}

void in_another_context() {
  CUcontext primary = nullptr, other = nullptr;
  CHECK(cuCtxGetCurrent(&primary));
  CHECK(cuCtxCreate_v2(&other, 0, 0));
  CUdeviceptr at = 0;
  CHECK(cuMemAlloc(&at, 2 * kMiB));
  CHECK(cuMemFree(at));
  CHECK(cuMemAlloc(&at, 2 * kMiB));  // goes with it
  CHECK(cuCtxDestroy(other));
  CHECK(cuCtxSetCurrent(primary));
}

void use_cuda() {
  cudaEvent_t event = nullptr, graph_event = nullptr;
  std::vector<cudaStream_t> streams(12);
  for (auto& stream : streams)
    CHECK(cudaStreamCreateWithFlags(&stream, &stream == &streams[0] ? 0 : cudaStreamNonBlocking));
  streams.push_back(nullptr);
  CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  CHECK(cudaEventCreateWithFlags(&graph_event, cudaEventDisableTiming));
  pass_on(streams, event);
  small_ones();
  capture(streams[1], graph_event);
  in_a_thread();
  in_another_context();
  pass_on(streams, graph_event);
  stitch(streams[2]);
  cudaMemPool_t pool = nullptr;
  CHECK(cudaDeviceGetDefaultMemPool(&pool, 0));
  CHECK(cudaMemPoolTrimTo(pool, 0));
  pass_on(streams, event);
  streams.pop_back();
  for (auto* stream : streams) CHECK(cudaStreamDestroy(stream));
  CHECK(cudaEventDestroy(event));
  CHECK(cudaEventDestroy(graph_event));
  CHECK(cudaDeviceSynchronize());
  CHECK(cudaDeviceReset());
}

int child(std::int64_t which) {
  left = which;
  armed = true;
  use_cuda();
  return kRight;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  once = std::strcmp(arguments[1], "once") == 0;
  const int stride = count > 2 ? std::atoi(arguments[2]) : 1;
  if (dl_iterate_phdr(find_library, nullptr) == 0) return 2;
  void* shared = mmap(nullptr, sizeof *something_failed, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  something_failed = new (shared) std::atomic<bool>;
  int children = 0, wrong = 0;
  for (std::int64_t which = count > 3 ? std::atoi(arguments[3]) : 0; wrong < 10; which += stride) {
    *something_failed = false;
    const pid_t pid = fork();
    if (pid == 0) std::exit(child(which));
    int status = 0;
    waitpid(pid, &status, 0);
    const int answer = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    if (!*something_failed && answer == kRight) break;
    ++children;
    if (answer == kRight) continue;
    ++wrong;
    std::printf("allocation %lld: child's status %d\n", static_cast<long long>(which), answer);
    std::fflush(stdout);
  }
  std::printf("children %d, wrong %d\n", children, wrong);
  return wrong == 0 ? 0 : 1;
}
