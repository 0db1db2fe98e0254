// Copies and sets of device 1's memory while device 0 is current: whether they are allowed, whether
// the bytes arrive, and how fast.
#include <cstdint>

#include "two_devices.h"

namespace gpu {
namespace {

// Memory of device 1.
struct Memory {
  const char* kind;
  CUdeviceptr at = 0;
  std::shared_ptr<void> held;
};

Memory of_kind(int kind, std::size_t bytes) {
  use(1);
  CUdeviceptr at = 0;
  if (kind == 0) {
    GPU(cuMemAlloc_v2_(&at, bytes));
    return {"cuMemAlloc", at, {}};
  }
  if (kind == 1) {
    GPU(cuMemAllocAsync_(&at, bytes, nullptr));
    GPU(cuStreamSynchronize_(nullptr));
    return {"cuMemAllocAsync", at, {}};
  }
  const auto block = of_device_1(bytes, kChunk, kind == 3);
  return {kind == 2 ? "handles" : "handles with access for device 0", block->at(), block};
}

void copies_of(const Memory& memory, CUdeviceptr here, std::size_t bytes, CUstream there_on,
               const std::string& before) {
  std::vector<std::uint8_t> host(bytes);
  int value = 1;
  // Sets or copies `value` there in some way; afterwards every byte is asked for from device 1.
  const auto ask = [&](const char* what, const std::function<CUresult()>& call) {
    ++value;
    use(0);
    GPU(cuMemsetD8_v2_(here, static_cast<unsigned char>(value), bytes));
    GPU(cuCtxSynchronize_());
    std::fill(host.begin(), host.end(), static_cast<std::uint8_t>(value));
    const CUresult code = call();
    std::string answer = name(code);
    if (code == CUDA_SUCCESS) {
      GPU(cuCtxSynchronize_());
      use(1);
      GPU(cuCtxSynchronize_());
      std::vector<std::uint8_t> read(bytes);
      GPU(cuMemcpyDtoH_v2_(read.data(), memory.at, bytes));
      const auto wrong = [&](std::uint8_t byte) { return byte != value; };
      if (std::any_of(read.begin(), read.end(), wrong)) answer = "wrong bytes";
    }
    say(before + memory.kind + ": " + what, answer);
  };
  const auto& cuda = driver();
  const auto byte = [&] { return static_cast<unsigned char>(value); };
  ask("cuMemcpyHtoD", [&] { return cuda.cuMemcpyHtoD_v2_(memory.at, host.data(), bytes); });
  ask("cuMemcpyDtoD to it", [&] { return cuda.cuMemcpyDtoD_v2_(memory.at, here, bytes); });
  ask("cuMemcpyDtoDAsync to it, device 0's stream",
      [&] { return cuda.cuMemcpyDtoDAsync_v2_(memory.at, here, bytes, nullptr); });
  ask("cuMemcpyDtoDAsync to it, device 1's stream",
      [&] { return cuda.cuMemcpyDtoDAsync_v2_(memory.at, here, bytes, there_on); });
  ask("cuMemcpyPeer",
      [&] { return cuda.cuMemcpyPeer_(memory.at, contexts[1], here, contexts[0], bytes); });
  ask("cuMemsetD8", [&] { return cuda.cuMemsetD8_v2_(memory.at, byte(), bytes); });
  ask("cuMemsetD8Async, device 1's stream",
      [&] { return cuda.cuMemsetD8Async_(memory.at, byte(), bytes, there_on); });
  // The other way: device 1's bytes, read while device 0 is current.
  use(1);
  GPU(cuMemsetD8_v2_(memory.at, 200, bytes));
  GPU(cuCtxSynchronize_());
  use(0);
  std::fill(host.begin(), host.end(), std::uint8_t{0});
  CUresult code = cuda.cuMemcpyDtoH_v2_(host.data(), memory.at, bytes);
  say(before + memory.kind + ": cuMemcpyDtoH",
      code != CUDA_SUCCESS || host[bytes - 1] == 200 ? name(code) : "wrong bytes");
  code = cuda.cuMemcpyDtoD_v2_(here, memory.at, bytes);
  GPU(cuMemcpyDtoH_v2_(host.data(), here, bytes));
  say(before + memory.kind + ": cuMemcpyDtoD from it",
      code != CUDA_SUCCESS || host[bytes - 1] == 200 ? name(code) : "wrong bytes");
}

}  // namespace

void copies(int kind, bool peers) {
  constexpr std::size_t kBytes = 6 * kMiB;
  CUdeviceptr here = 0;
  CUstream there_on = nullptr;
  use(1);
  GPU(cuStreamCreate_(&there_on, CU_STREAM_NON_BLOCKING));
  use(0);
  GPU(cuMemAlloc_v2_(&here, kBytes));
  if (peers) GPU(cuCtxEnablePeerAccess_(contexts[1], 0));
  copies_of(of_kind(kind, kBytes), here, kBytes, there_on, peers ? "peers, " : "");
}

void speed() {
  const std::size_t bytes = (driver().simulated() ? 8 : 512) * kMiB;
  use(0);
  CUdeviceptr here = 0, other = 0;
  GPU(cuMemAlloc_v2_(&here, bytes));
  use(1);
  GPU(cuMemAlloc_v2_(&other, bytes));
  const auto whole = of_device_1(bytes, bytes, true), pieces = of_device_1(bytes, kChunk, true);
  const auto rate = [&](const std::string& what, const std::function<CUresult()>& copy) {
    std::vector<double> times;
    CUresult code = CUDA_SUCCESS;
    for (int i = 0; i < 6 && code == CUDA_SUCCESS; ++i)
      times.push_back(seconds([&] {
        code = copy();
        GPU(cuCtxSynchronize_());
      }));
    say(what,
        code == CUDA_SUCCESS ? text(static_cast<double>(bytes) / median(times) / 1e9) : name(code));
  };
  const auto all = [&](const std::string& kind, CUdeviceptr at) {
    use(0);
    const auto& cuda = driver();
    rate(kind + ", GB/s: to it",
         [&] { return cuda.cuMemcpyDtoDAsync_v2_(at, here, bytes, nullptr); });
    rate(kind + ", GB/s: from it",
         [&] { return cuda.cuMemcpyDtoDAsync_v2_(here, at, bytes, nullptr); });
    rate(kind + ", GB/s: cuMemcpyPeerAsync", [&] {
      return cuda.cuMemcpyPeerAsync_(at, contexts[1], here, contexts[0], bytes, nullptr);
    });
  };
  for (const bool peers : {false, true}) {
    const std::string before = peers ? "peers, " : "";
    use(0);
    if (peers) GPU(cuCtxEnablePeerAccess_(contexts[1], 0));
    all(before + "cuMemAlloc", other);
    all(before + "one handle", whole->at());
    all(before + "handles of 2 MiB", pieces->at());
  }
}

}  // namespace gpu
