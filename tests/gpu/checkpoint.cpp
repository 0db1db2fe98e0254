// Whether a pool survives cuCheckpointProcess: blocks, stitched ranges, free memory and frees whose
// work is still pending.
//
//   LD_PRELOAD=libgmlake.so checkpoint [MiB]
//
// A child makes all that, says so, and goes on once the parent has checkpointed and restored it; a
// line each for what took how long and for what was wrong afterwards. A driver that has no such
// calls (before 12.8, simcuda) leaves the child as it is: then the line says so, and the rest holds
// all the same. The status is 0 if nothing was wrong.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "driver.h"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
int wrong = 0;

struct Block {
  CUdeviceptr at = 0;
  std::size_t bytes = 0;
  unsigned pattern = 0;
};

CUstream stream = nullptr;

Block make(std::size_t bytes, unsigned pattern) {
  Block block{0, bytes, pattern};
  GPU(cuMemAllocAsync_(&block.at, bytes, stream));
  GPU(cuMemsetD32Async_(block.at, pattern, bytes / 4, stream));
  return block;
}
void drop(const Block& block) {
  GPU(cuMemFreeAsync_(block.at, stream));
}
void verify(const Block& block, const char* what) {
  std::vector<unsigned> host(block.bytes / 4);
  GPU(cuStreamSynchronize_(stream));
  GPU(cuMemcpyDtoH_v2_(host.data(), block.at, block.bytes));
  for (std::size_t i = 0; i < host.size(); ++i)
    if (host[i] != block.pattern) {
      std::printf("%s: word %zu of the block at %#llx is %#x, not %#x\n", what, i,
                  static_cast<unsigned long long>(block.at), host[i], block.pattern);
      ++wrong;
      return;
    }
}

// Every other block is freed, and twice a hole put together; the frees of the last ones are behind
// work that the checkpoint finds under way.
int subject(std::size_t mebibytes, int ready, int go) {
  gpu::open_device();
  GPU(cuStreamCreate_(&stream, CU_STREAM_NON_BLOCKING));
  const std::size_t piece = 9 * kMiB + 512;
  const std::size_t count = mebibytes * kMiB / piece;
  std::vector<Block> blocks, wide;
  for (unsigned i = 0; i < count; ++i) blocks.push_back(make(piece, 0x10000U + i));
  for (std::size_t i = 0; i < count; i += 2) drop(blocks[i]);
  GPU(cuStreamSynchronize_(stream));
  for (unsigned i = 0; i < count / 8; ++i) wide.push_back(make(2 * piece, 0x20000U + i));
  for (std::size_t i = 1; i < wide.size(); i += 2) drop(wide[i]);  // ranges that are kept, idle
  const Block pending = make(piece, 0x30000U);
  for (int i = 0; i < 200; ++i)
    GPU(cuMemsetD32Async_(pending.at, 0x30000U, pending.bytes / 4, stream));
  drop(pending);

  char byte = 'r';
  if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1) return 2;

  for (std::size_t i = 1; i < count; i += 2) verify(blocks[i], "block");
  for (std::size_t i = 0; i < wide.size(); i += 2) verify(wide[i], "stitched block");
  std::vector<Block> again;
  for (unsigned i = 0; i < count / 8; ++i) again.push_back(make(2 * piece, 0x40000U + i));
  for (const auto& block : again) verify(block, "block in an earlier place");
  again.push_back(make(piece, 0x50000U));
  for (std::size_t i = 1; i < count; i += 2) verify(blocks[i], "block beside new ones");
  for (std::size_t i = 0; i < wide.size(); i += 2)
    verify(wide[i], "stitched block beside new ones");
  for (const auto& block : again) drop(block);
  for (std::size_t i = 1; i < count; i += 2) drop(blocks[i]);
  for (std::size_t i = 0; i < wide.size(); i += 2) drop(wide[i]);
  GPU(cuCtxSynchronize_());
  std::printf("wrong blocks: %d\n", wrong);
  return wrong == 0 ? 0 : 1;
}

// By their names: an older cuda.h does not have them.
bool step(void* library, const char* name, int pid) {
  using Call = CUresult (*)(int, void*);
  const auto call = reinterpret_cast<Call>(dlsym(library, name));
  if (call == nullptr) {
    std::printf("%s: not there, left out\n", name);
    return false;
  }
  std::uint64_t arguments[8] = {};  // all of them may be zero
  const auto start = std::chrono::steady_clock::now();
  const CUresult result = call(pid, arguments);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  std::printf("%s: %s, %.2f s\n", name, gpu::name(result).c_str(), spent.count());
  if (result == CUDA_ERROR_NOT_SUPPORTED || result == CUDA_ERROR_NOT_FOUND) return false;
  if (result != CUDA_SUCCESS) ++wrong;
  return result == CUDA_SUCCESS;
}

}  // namespace

int main(int count, char** arguments) try {
  const std::size_t mebibytes = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 2048;
  int ready[2], go[2];
  if (pipe(ready) != 0 || pipe(go) != 0) return 2;
  std::fflush(stdout);
  const pid_t child = fork();  // before CUDA begins
  if (child == 0) {
    const int status = subject(mebibytes, ready[1], go[0]);
    std::exit(status);
  }
  close(ready[1]);
  char byte = 0;
  if (read(ready[0], &byte, 1) != 1) return 2;
  const auto& driver = gpu::driver();
  GPU(cuInit_(0));
  if (step(driver.library, "cuCheckpointProcessLock", child)) {
    if (step(driver.library, "cuCheckpointProcessCheckpoint", child))
      step(driver.library, "cuCheckpointProcessRestore", child);
    step(driver.library, "cuCheckpointProcessUnlock", child);
  }
  int status = 0;
  if (write(go[1], &byte, 1) != 1 || waitpid(child, &status, 0) != child) return 2;
  const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  std::printf("%s\n", ended && wrong == 0 ? "all as before" : "not as before");
  return ended && wrong == 0 ? 0 : 1;
} catch (const gpu::Failure& failure) {
  std::printf("%s\n", failure.what());
  return 1;
}
