// What the driver says about memory of another process: what a handle names, what closing waits
// for, and what is left when the owner frees it or ends.
#include <csignal>
#include <cstring>
#include <thread>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "spin.h"

namespace gpu {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;
constexpr auto kLazy = CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS;

// What the owner shares: a block whose page i holds i + 1, and two small neighbours.
struct Shared {
  CUipcMemHandle large, again, inner, small, neighbour;
  CUresult inner_result;
  double get_us;
};

CUdeviceptr allocate(std::size_t bytes) {
  CUdeviceptr at = 0;
  GPU(cuMemAlloc_v2_(&at, bytes));
  return at;
}

// The other process: shares, frees the large block when it is told to, and is killed at the end.
[[noreturn]] void own(int socket) {
  open_device();
  const CUdeviceptr large = allocate(3 * kMiB), small = allocate(1000), neighbour = allocate(1000);
  for (unsigned i = 0; i < 16; ++i)
    GPU(cuMemsetD8_v2_(large + i * kPage, static_cast<unsigned char>(i + 1), kPage));
  GPU(cuMemsetD8_v2_(small, 101, 1000));
  GPU(cuMemsetD8_v2_(neighbour, 102, 1000));
  GPU(cuCtxSynchronize_());
  Shared shared{};
  shared.get_us = microseconds([&] { GPU(cuIpcGetMemHandle_(&shared.large, large)); });
  GPU(cuIpcGetMemHandle_(&shared.again, large));
  shared.inner_result = driver().cuIpcGetMemHandle_(&shared.inner, large + kPage);
  GPU(cuIpcGetMemHandle_(&shared.small, small));
  GPU(cuIpcGetMemHandle_(&shared.neighbour, neighbour));
  if (write(socket, &shared, sizeof shared) != sizeof shared) _exit(1);
  char order = 0;
  while (read(socket, &order, 1) == 1) {
    if (order == 'f') GPU(cuMemFree_v2_(large));
    if (write(socket, &order, 1) != 1) break;
  }
  _exit(0);
}

struct Owner {
  int socket = -1;
  pid_t process = -1;
  Shared shared{};

  Owner() {
    int ends[2] = {};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::exit(2);
    process = fork();
    if (process == 0) {
      close(ends[0]);
      try {
        own(ends[1]);
      } catch (const Failure& failure) {
        std::fprintf(stderr, "the other process: %s\n", failure.what());
        _exit(1);
      }
    }
    close(ends[1]);
    socket = ends[0];
    if (recv(socket, &shared, sizeof shared, MSG_WAITALL) != sizeof shared) std::exit(2);
    open_device();
  }
  void say(char order) const {
    if (write(socket, &order, 1) != 1 || read(socket, &order, 1) != 1) std::exit(2);
  }
  void end() const {
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }
};

CUresult open(CUdeviceptr& at, const CUipcMemHandle& handle) {
  return driver().cuIpcOpenMemHandle_v2_(&at, handle, kLazy);
}

std::string byte_at(CUdeviceptr at) {
  unsigned char byte = 0;
  const CUresult code = driver().cuMemcpyDtoH_v2_(&byte, at, 1);
  return code == CUDA_SUCCESS ? std::to_string(byte) : name(code);
}

std::string range_of(CUdeviceptr at) {
  CUdeviceptr base = 0;
  std::size_t bytes = 0;
  const CUresult code = driver().cuMemGetAddressRange_v2_(&base, &bytes, at);
  return name(code) + ", starts " + std::to_string(static_cast<long long>(at - base)) +
         " before it, " + std::to_string(bytes) + " bytes";
}

void names() {
  const Owner owner;
  const Shared& shared = owner.shared;
  CUdeviceptr at = 0, again = 0, inner = 0, small = 0, neighbour = 0;
  CUresult code = CUDA_SUCCESS;
  const double open_us = microseconds([&] { code = open(at, shared.large); });
  answer("ipc/open", code,
         "get " + text(shared.get_us) + " us, open " + text(open_us) + " us, address mod 2 MiB " +
             std::to_string(at % (2 * kMiB)) + ", " + range_of(at));
  answer("ipc/same_bytes",
         std::memcmp(&shared.large, &shared.again, sizeof shared.large) == 0 ? "yes" : "no");
  const double again_us = microseconds([&] { code = open(again, shared.large); });
  answer("ipc/open_again", code,
         std::string(again == at ? "the same address" : "another address") + ", " + text(again_us) +
             " us");
  answer("ipc/inner_handle", shared.inner_result,
         shared.inner_result != CUDA_SUCCESS                                   ? ""
         : std::memcmp(&shared.large, &shared.inner, sizeof shared.large) == 0 ? "the block's bytes"
                                                                               : "other bytes");
  if (shared.inner_result == CUDA_SUCCESS) {
    code = open(inner, shared.inner);
    answer("ipc/open_inner", code,
           "from the block " + std::to_string(static_cast<long long>(inner - at)) + ", holds " +
               byte_at(inner));
  }
  code = open(small, shared.small);
  answer("ipc/open_small", code, "holds " + byte_at(small) + ", " + range_of(small));
  code = open(neighbour, shared.neighbour);
  answer("ipc/open_neighbour", code,
         "holds " + byte_at(neighbour) + ", from the other " +
             std::to_string(static_cast<long long>(neighbour - small)));
  answer("ipc/free_of_opened", driver().cuMemFree_v2_(at));
  answer("ipc/close_inner_address", driver().cuIpcCloseMemHandle_(at + kPage));
  answer("ipc/handle_of_opened", [&] {
    CUipcMemHandle handle{};
    return driver().cuIpcGetMemHandle_(&handle, at);
  }());
  answer("ipc/close", driver().cuIpcCloseMemHandle_(at));
  answer("ipc/close_again", driver().cuIpcCloseMemHandle_(at));
  answer("ipc/close_once_more", driver().cuIpcCloseMemHandle_(at));
  const double reopen_us = microseconds([&] { code = open(at, shared.large); });
  const double close_us = microseconds([&] { GPU(cuIpcCloseMemHandle_(at)); });
  answer("ipc/open_after_close", code, text(reopen_us) + " us, close " + text(close_us) + " us");
  owner.end();
}

// 64 bytes that are no handle: of zeros, and as another library may write them.
void no_handle() {
  open_device();
  CUdeviceptr at = 0;
  CUipcMemHandle handle{};
  answer("ipc/zeros", open(at, handle));
  for (unsigned i = 0; i < sizeof handle.reserved; ++i)
    handle.reserved[i] = static_cast<char>("gmlakeI1"[i % 8] + static_cast<char>(i / 8));
  answer("ipc/foreign_bytes", open(at, handle));
  GPU(cuIpcGetMemHandle_(&handle, allocate(kMiB)));
  answer("ipc/own_handle", open(at, handle));
}

// cuMemUnmap does not wait: whether this does.
void close_waits() {
  const Owner owner;
  CUdeviceptr at = 0;
  CUstream stream = nullptr;
  GPU(cuIpcOpenMemHandle_v2_(&at, owner.shared.large, kLazy));
  GPU(cuStreamCreate_(&stream, CU_STREAM_NON_BLOCKING));
  const Spin spin;
  spin.launch(at, 0.3, stream);
  CUresult code = CUDA_SUCCESS;
  const double us = microseconds([&] { code = driver().cuIpcCloseMemHandle_(at); });
  answer("ipc/close_beside_a_kernel", code, text(us) + " us, where the kernel takes 300000");
  answer("ipc/the_kernel", driver().cuStreamSynchronize_(stream));
  owner.end();
}

void owner_frees() {
  const Owner owner;
  CUdeviceptr at = 0;
  GPU(cuIpcOpenMemHandle_v2_(&at, owner.shared.large, kLazy));
  owner.say('f');
  answer("ipc/freed_while_open", "read", "holds " + byte_at(at));
  answer("ipc/close_what_is_freed", driver().cuIpcCloseMemHandle_(at));
  answer("ipc/open_what_is_freed", open(at, owner.shared.large));
  owner.end();
}

void owner_ends() {
  const Owner owner;
  CUdeviceptr at = 0;
  GPU(cuIpcOpenMemHandle_v2_(&at, owner.shared.large, kLazy));
  owner.end();
  answer("ipc/owner_killed_while_open", "read", "holds " + byte_at(at));
  CUdeviceptr small = 0;
  answer("ipc/open_of_the_dead", open(small, owner.shared.small));
  answer("ipc/close_of_the_dead", driver().cuIpcCloseMemHandle_(at));
}

// What a thread of a library does, which has no context.
void without_context() {
  open_device();
  std::thread([] {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    CUmemAccessDesc access{properties.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    CUmemGenericAllocationHandle handle = 0, imported = 0;
    CUdeviceptr at = 0;
    int file = -1;
    std::string said;
    const auto step = [&](const char* what, CUresult code) {
      if (code != CUDA_SUCCESS) said += std::string(what) + ": " + name(code) + "; ";
    };
    step("create", driver().cuMemCreate_(&handle, 2 * kMiB, &properties, 0));
    step("export", driver().cuMemExportToShareableHandle_(
                       &file, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    step("import", driver().cuMemImportFromShareableHandle_(
                       &imported, reinterpret_cast<void*>(static_cast<std::intptr_t>(file)),
                       CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    step("reserve", driver().cuMemAddressReserve_(&at, 2 * kMiB, 0, 0, 0));
    step("map", driver().cuMemMap_(at, 2 * kMiB, 0, imported, 0));
    step("access", driver().cuMemSetAccess_(at, 2 * kMiB, &access, 1));
    step("unmap", driver().cuMemUnmap_(at, 2 * kMiB));
    step("free", driver().cuMemAddressFree_(at, 2 * kMiB));
    step("release", driver().cuMemRelease_(imported));
    step("release", driver().cuMemRelease_(handle));
    answer("ipc/thread_without_context", said.empty() ? "works" : "fails", said);
  }).join();
}

}  // namespace

std::vector<Probe> ipc_probes() {
  return {{"ipc_names", names, true},
          {"ipc_no_handle", no_handle, true},
          {"ipc_close_waits", close_waits, true},
          {"ipc_owner_frees", owner_frees, true},
          {"ipc_owner_ends", owner_ends, true},
          {"ipc_without_context", without_context, true}};
}

}  // namespace gpu
