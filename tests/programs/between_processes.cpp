// Two processes share memory by legacy IPC, each opening the other's. The first argument says what
// happens; a fact is one line each, the same whether the memory is the driver's or not.
//
//   exchange N   N blocks each, opened, written and freed; every handle another
//   kill N       the same, and one process is killed in the middle
//   identity     what a handle names: a block, for as long as it lives
//   pieces       a block that may be in pieces, between others that are live
//   alone        the other process runs without LD_PRELOAD
//   fork         a forked child that does not use CUDA outlives its parent's part
//
// The other process is this program again, started before either uses CUDA.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void say(const char* what, long long value) {
  std::printf("%s: %lld\n", what, value);
  std::fflush(stdout);
}

void must(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return;
  std::printf("%s failed: %d\n", what, result);
  std::exit(1);
}

struct Line {
  int socket = -1;
  // False: the other is no more.
  template <typename T>
  bool give(const T& value) const {
    return send(socket, &value, sizeof value, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof value);
  }
  template <typename T>
  bool take(T& value) const {
    return recv(socket, &value, sizeof value, MSG_WAITALL) == static_cast<ssize_t>(sizeof value);
  }
  bool meet() const {
    char other = 0;
    return give('.') && take(other);
  }
};

std::string bytes_of(const cudaIpcMemHandle_t& handle) {
  return {handle.reserved, sizeof handle.reserved};
}

unsigned char read_at(const void* at, std::size_t offset) {
  unsigned char value = 0;
  must("read",
       cudaMemcpy(&value, static_cast<const char*>(at) + offset, 1, cudaMemcpyDeviceToHost));
  return value;
}

long long descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

void trim() {
  using Trim = std::size_t (*)(int, std::size_t);
  if (const auto function = reinterpret_cast<Trim>(dlsym(RTLD_DEFAULT, "gmlake_trim")))
    function(0, 0);
}

struct Block {
  void* at = nullptr;
  std::size_t bytes = 0;
  cudaIpcMemHandle_t handle{};
};

std::size_t size_of(int round, bool child) {
  static constexpr std::size_t kSizes[] = {1000, 64 << 10, 3 * kMiB, 512, 9 * kMiB + 512, 2 * kMiB};
  return kSizes[static_cast<std::size_t>(round + (child ? 3 : 0)) % std::size(kSizes)];
}

Block make(std::size_t bytes, int value) {
  Block block;
  block.bytes = bytes;
  must("allocate", cudaMalloc(&block.at, bytes));
  must("fill", cudaMemset(block.at, value, bytes));
  must("wait", cudaDeviceSynchronize());
  must("handle", cudaIpcGetMemHandle(&block.handle, block.at));
  return block;
}

// Gives the number of bytes that were not what the other had written. Negative: it is no more.
int one_round(const Line& line, int round, bool child, std::set<std::string>& handles) {
  const int mine = (2 * round + (child ? 1 : 0)) % 200, other = (2 * round + (child ? 0 : 1)) % 200;
  const Block block = make(size_of(round, child), mine);
  handles.insert(bytes_of(block.handle));
  cudaIpcMemHandle_t theirs{};
  if (!line.give(block.handle) || !line.take(theirs)) return -1;
  void* opened = nullptr;
  if (const auto error = cudaIpcOpenMemHandle(&opened, theirs, cudaIpcMemLazyEnablePeerAccess)) {
    std::fprintf(stderr, "open in round %d: %d\n", round, error);
    return -1;
  }
  int wrong = 0;
  const std::size_t size = size_of(round, !child);
  wrong += read_at(opened, 0) != other ? 1 : 0;
  wrong += read_at(opened, size - 1) != other ? 1 : 0;
  must("write", cudaMemset(opened, 201, size));
  must("close", cudaIpcCloseMemHandle(opened));
  if (!line.meet()) return -1;
  wrong += read_at(block.at, 0) != 201 ? 1 : 0;
  wrong += read_at(block.at, block.bytes - 1) != 201 ? 1 : 0;
  must("free", cudaFree(block.at));
  return wrong;
}

int exchange(const Line& line, int rounds, bool child, int killed_in) {
  must("begin", cudaFree(nullptr));
  std::set<std::string> handles;
  long long before = descriptors();
  int wrong = 0, done = 0;
  for (; done < rounds; ++done) {
    if (child && done == killed_in) raise(SIGKILL);
    const int one = one_round(line, done, child, handles);
    if (one < 0) break;
    wrong += one;
  }
  if (child && done != rounds) return 1;
  if (!child) {
    say("rounds", done);
    say("wrong", wrong);
    say("handles that are another's too",
        done + (done != rounds ? 1 : 0) - static_cast<int>(handles.size()));
  }
  if (killed_in < 0 && !line.meet()) return 1;
  trim();
  if (killed_in < 0 && !line.meet()) return 1;
  // What is given back is let go of soon.
  long long more = 0;
  for (int i = 0; i < 500; ++i) {
    more = descriptors() - before;
    if (more <= 8) break;
    usleep(10000);
  }
  if (more > 8)
    std::fprintf(stderr, "%s: %lld descriptors more\n", child ? "child" : "parent", more);
  if (!child) say("descriptors are left", more > 8);
  if (killed_in < 0 && !line.meet()) return 1;
  return wrong != 0 || more > 8 ? 1 : 0;
}

// What can be asked about a block of another process, at an address inside it.
void what_is_open(void* start) {
  const auto first = reinterpret_cast<CUdeviceptr>(start), at = first + 70000;
  CUdeviceptr from = 0;
  std::size_t bytes = 0;
  say("range", cuMemGetAddressRange(&from, &bytes, at));
  say("it begins where it was opened", from == first);
  say("its bytes", static_cast<long long>(bytes));
  say("start", cuPointerGetAttribute(&from, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, at));
  say("the same", from == first);
  say("size", cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, at));
  say("its bytes", static_cast<long long>(bytes));
  CUcontext here = nullptr, its = nullptr;
  cuCtxGetCurrent(&here);
  say("context", cuPointerGetAttribute(&its, CU_POINTER_ATTRIBUTE_CONTEXT, at));
  say("this one", here == its);
  unsigned on = 1;
  say("set synchronous", cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at));
  on = 7;
  say("synchronous", cuPointerGetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, first));
  say("it is", on);
  unsigned long long types = 77, id = 0;
  unsigned kind = 0;
  void* values[] = {&types, &kind, &from};
  CUpointer_attribute which[] = {CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
                                 CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                 CU_POINTER_ATTRIBUTE_RANGE_START_ADDR};
  say("many at once", cuPointerGetAttributes(3, which, values, at));
  say("types", static_cast<long long>(types));
  say("kind", kind);
  say("the same", from == first);
  CUmemoryPool pool = nullptr;
  say("pool", cuPointerGetAttribute(&pool, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at));
  say("none", pool == nullptr);
  say("id", cuPointerGetAttribute(&id, CU_POINTER_ATTRIBUTE_BUFFER_ID, at));
  CUmemGenericAllocationHandle handle = 0;
  say("retain", cuMemRetainAllocationHandle(&handle, start));
  CUmemAccessDesc access{};
  access.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  say("set access", cuMemSetAccess(first & ~((CUdeviceptr{2} << 20) - 1), 2 * kMiB, &access, 1));
}

int identity(const Line& line, bool child) {
  must("begin", cudaFree(nullptr));
  if (child) {
    cudaIpcMemHandle_t handle{}, second{};
    void *at = nullptr, *again = nullptr;
    if (!line.take(handle)) return 1;
    say("open", cudaIpcOpenMemHandle(&at, handle, cudaIpcMemLazyEnablePeerAccess));
    say("open again", cudaIpcOpenMemHandle(&again, handle, cudaIpcMemLazyEnablePeerAccess));
    say("the same pointer", at == again);
    what_is_open(at);
    say("without the flag", cudaIpcOpenMemHandle(&again, handle, 0));
    say("free", cudaFree(at));
    say("close", cudaIpcCloseMemHandle(at));
    say("still there", read_at(at, 0));
    say("close", cudaIpcCloseMemHandle(at));
    say("close once more", cudaIpcCloseMemHandle(at));
    (void)cudaGetLastError();
    line.meet();  // freed meanwhile, and another block made
    if (!line.take(second)) return 1;
    say("open what is freed", cudaIpcOpenMemHandle(&again, handle, cudaIpcMemLazyEnablePeerAccess));
    (void)cudaGetLastError();
    say("open the new one", cudaIpcOpenMemHandle(&at, second, cudaIpcMemLazyEnablePeerAccess));
    say("what it holds", read_at(at, 0));
    say("close", cudaIpcCloseMemHandle(at));
    line.meet();
    return 0;
  }
  const Block block = make(5 * kMiB, 7);
  cudaIpcMemHandle_t again{};
  must("handle", cudaIpcGetMemHandle(&again, block.at));
  say("the same bytes", bytes_of(again) == bytes_of(block.handle));
  void* own = nullptr;
  say("open one's own", cudaIpcOpenMemHandle(&own, block.handle, cudaIpcMemLazyEnablePeerAccess));
  say("handle of no block", cudaIpcGetMemHandle(&again, &own));
  say("handle of an inner address",
      cudaIpcGetMemHandle(&again, static_cast<char*>(block.at) + 4096));
  void* ordered = nullptr;
  must("allocate", cudaMallocAsync(&ordered, kMiB, nullptr));
  say("handle of a stream's memory", cudaIpcGetMemHandle(&again, ordered));
  must("free", cudaFreeAsync(ordered, nullptr));
  say("close one's own", cudaIpcCloseMemHandle(block.at));
  (void)cudaGetLastError();
  std::fflush(stdout);
  line.give(block.handle);
  // The child has closed it when it gets here.
  char there = 0;
  if (!line.take(there)) return 1;
  must("free", cudaFree(block.at));
  const Block next = make(5 * kMiB, 8);
  say("the new block's bytes are others", bytes_of(next.handle) != bytes_of(block.handle));
  line.give('.');
  line.give(next.handle);
  line.meet();
  must("free", cudaFree(next.at));
  return 0;
}

// Every second of 16 blocks is freed, and one made that is larger than any of them.
int pieces(const Line& line, bool child) {
  must("begin", cudaFree(nullptr));
  constexpr std::size_t kCount = 9;
  if (child) {
    cudaIpcMemHandle_t handle{};
    void* at = nullptr;
    if (!line.take(handle)) return 1;
    say("open", cudaIpcOpenMemHandle(&at, handle, cudaIpcMemLazyEnablePeerAccess));
    for (std::size_t i = 0; i < kCount; ++i) say("it holds", read_at(at, i * kMiB + i));
    must("write", cudaMemset(at, 77, kCount * kMiB));
    say("close", cudaIpcCloseMemHandle(at));
    line.meet();
    return 0;
  }
  void* blocks[16] = {};
  for (auto& block : blocks) {
    must("allocate", cudaMalloc(&block, 2 * kMiB));
    must("fill", cudaMemset(block, 5, 2 * kMiB));
  }
  for (std::size_t i = 0; i < 16; i += 2) must("free", cudaFree(blocks[i]));
  must("wait", cudaDeviceSynchronize());
  const Block block = make(kCount * kMiB, 0);
  for (std::size_t i = 0; i < kCount; ++i)
    must("fill",
         cudaMemset(static_cast<char*>(block.at) + i * kMiB, static_cast<int>(i + 1), kMiB));
  must("wait", cudaDeviceSynchronize());
  line.give(block.handle);
  line.meet();
  for (std::size_t i = 0; i < kCount; ++i) say("it holds", read_at(block.at, i * kMiB + i));
  for (std::size_t i = 1; i < 16; i += 2)
    say("and its neighbours", read_at(blocks[i], 2 * kMiB - 1));
  return 0;
}

// Blocks of one size until the other can open one.
int alone(const Line& line, bool child) {
  must("begin", cudaFree(nullptr));
  constexpr int kTries = 4;
  for (int i = 0; i < kTries; ++i) {
    int opened = 0;
    if (child) {
      cudaIpcMemHandle_t handle{};
      void* at = nullptr;
      if (!line.take(handle)) return 1;
      opened = cudaIpcOpenMemHandle(&at, handle, cudaIpcMemLazyEnablePeerAccess) == cudaSuccess;
      (void)cudaGetLastError();
      if (opened != 0) must("close", cudaIpcCloseMemHandle(at));
      line.give(opened);
      continue;
    }
    const Block block = make(5 * kMiB, 7);
    line.give(block.handle);
    if (!line.take(opened)) return 1;
    say("opened", opened);
    must("free", cudaFree(block.at));
  }
  return 0;
}

// A child of the owner that does nothing does not keep it alive for others.
int forked(const Line& line, bool child) {
  must("begin", cudaFree(nullptr));
  if (child) {
    const Block block = make(kMiB, 9);
    const pid_t idle = fork();
    if (idle == 0) {
      close(line.socket);
      for (;;) pause();
    }
    line.give(block.handle);
    line.give(idle);
    line.meet();
    raise(SIGKILL);
  }
  cudaIpcMemHandle_t handle{};
  pid_t idle = 0;
  void* at = nullptr;
  if (!line.take(handle) || !line.take(idle)) return 1;
  say("open", cudaIpcOpenMemHandle(&at, handle, cudaIpcMemLazyEnablePeerAccess));
  say("close", cudaIpcCloseMemHandle(at));
  line.meet();
  char nobody = 0;
  (void)line.take(nobody);
  say("open what has ended", cudaIpcOpenMemHandle(&at, handle, cudaIpcMemLazyEnablePeerAccess));
  kill(idle, SIGKILL);
  return 0;
}

int run(const std::string& what, int rounds, const Line& line, bool child) {
  if (what == "exchange") return exchange(line, rounds, child, -1);
  if (what == "kill") return exchange(line, rounds, child, rounds / 2);
  if (what == "identity") return identity(line, child);
  if (what == "pieces") return pieces(line, child);
  if (what == "alone") return alone(line, child);
  if (what == "fork") return forked(line, child);
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 0;
  if (count > 3) return run(what, rounds, {std::atoi(arguments[3])}, true);

  int ends[2] = {};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return 2;
  const pid_t other = fork();
  if (other == 0) {
    (void)fcntl(ends[1], F_SETFD, 0);
    if (what == "alone") unsetenv("LD_PRELOAD");
    execl("/proc/self/exe", arguments[0], what.c_str(), std::to_string(rounds).c_str(),
          std::to_string(ends[1]).c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  const int own = run(what, rounds, {ends[0]}, false);
  close(ends[0]);
  int status = 0;
  (void)waitpid(other, &status, 0);
  const bool killed = what == "kill" || what == "fork";
  say("the other ended as it should", killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                             : WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return own;
}
