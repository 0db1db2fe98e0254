// Asks the driver about two devices, and prints a line of JSON for each answer.
//
//   two_devices copies KIND [peers]  what can be copied and set while the other device is current,
//                                    and whether the bytes arrive; KIND 0 to 3: cuMemAlloc,
//                                    cuMemAllocAsync, handles, handles with access for device 0
//   two_devices access               what access for the owner, and for a peer besides, costs
//   two_devices speed                copies between the devices, with and without peer access
//   two_devices unequal              device 0 is nearly full: what each device still gives, and
//                                    whose memory the allocations took
//
// Natively they are answers of the driver; with the library in front, what is asked about
// cuMemAlloc and cuMemAllocAsync has to come out the same. Exit status 3: there are no two devices.

#include "two_devices.h"

namespace gpu {
namespace {

void access() {
  use(0);
  struct Shape {
    std::size_t mib, count;
  };
  for (const auto shape : {Shape{2, 1}, {2, 16}, {2, 256}, {32, 16}, {512, 4}}) {
    const std::size_t each = shape.mib * kMiB, bytes = each * shape.count;
    std::vector<double> owner, peer, again, away;
    for (int i = 0; i < 5; ++i) {
      Handles handles(shape.count, each, 1);
      Range range(bytes);
      range.map_all(handles);
      const auto timed = [&](std::vector<double>& into, const std::function<void()>& work) {
        into.push_back(seconds(work) * 1e6 / static_cast<double>(shape.count));
      };
      timed(owner, [&] { check(set_access(range.at(), bytes, 1), "access of the owner"); });
      timed(peer, [&] { check(set_access(range.at(), bytes, 0), "access of the peer"); });
      timed(again, [&] { check(set_access(range.at(), bytes, 0), "access once more"); });
      timed(away, [&] {
        GPU(cuMemUnmap_(range.at(), bytes));
        range.forget_mappings();
      });
    }
    const std::string what = std::to_string(shape.count) + " handles of " +
                             std::to_string(shape.mib) + " MiB, us a handle: ";
    say(what + "owner", text(median(owner)));
    say(what + "peer besides", text(median(peer)));
    say(what + "peer once more", text(median(again)));
    say(what + "unmapped", text(median(away)));
  }
}

std::size_t free_of(int device) {
  std::size_t free = 0, total = 0;
  use(device);
  GPU(cuMemGetInfo_v2_(&free, &total));
  return free;
}

// Blocks by `take` until one fails; how many fitted.
std::size_t fitted(std::size_t most, const std::function<CUresult(CUdeviceptr*)>& take,
                   std::vector<CUdeviceptr>& blocks) {
  for (CUdeviceptr at = 0; blocks.size() < most && take(&at) == CUDA_SUCCESS;) blocks.push_back(at);
  return blocks.size();
}

void unequal() {
  const std::size_t before = free_of(1);
  const std::size_t unit = std::max(kChunk, before / 64 / kChunk * kChunk);  // 2 GiB on 140
  CUstream there_on = nullptr;
  use(1);
  GPU(cuStreamCreate_(&there_on, CU_STREAM_NON_BLOCKING));
  use(0);
  const std::size_t filled = free_of(0) - 3 * unit;
  CUmemGenericAllocationHandle handle = 0;
  check(create(&handle, filled / kChunk * kChunk, 0), "filling device 0");
  std::vector<CUdeviceptr> there, there_plain, here;
  use(0);
  say("of 40 blocks on device 1's stream, fit",
      std::to_string(fitted(
          40, [&](CUdeviceptr* at) { return driver().cuMemAllocAsync_(at, unit, there_on); },
          there)));
  use(1);
  GPU(cuStreamSynchronize_(there_on));
  say("device 1 gave for them", std::to_string((before - free_of(1)) / unit));
  say("of 10 more by cuMemAlloc, fit",
      std::to_string(fitted(
          10, [&](CUdeviceptr* at) { return driver().cuMemAlloc_v2_(at, unit); }, there_plain)));
  use(0);
  say("of 10 on device 0, fit",
      std::to_string(fitted(
          10, [&](CUdeviceptr* at) { return driver().cuMemAlloc_v2_(at, unit); }, here)));
  for (CUdeviceptr at : there) GPU(cuMemFreeAsync_(at, there_on));
  use(1);
  GPU(cuStreamSynchronize_(there_on));
  for (CUdeviceptr at : there_plain) GPU(cuMemFree_v2_(at));
  CUdeviceptr large = 0;
  say("then one of 50 on device 1", name(driver().cuMemAlloc_v2_(&large, 50 * unit)));
}

}  // namespace
}  // namespace gpu

int main(int count, char** words) {
  using namespace gpu;
  const std::string mode = count > 1 ? words[1] : "";
  try {
    int devices = 0;
    GPU(cuInit_(0));
    GPU(cuDeviceGetCount_(&devices));
    if (devices < 2) {
      std::fprintf(stderr, "there are no two devices\n");
      return 3;
    }
    for (int i = 0; i < 2; ++i) contexts[i] = open_device(i);
    if (mode == "copies" && count > 2) {
      copies(std::atoi(words[2]), count > 3);
    } else if (mode == "access") {
      access();
    } else if (mode == "speed") {
      speed();
    } else if (mode == "unequal") {
      unequal();
    } else {
      std::fprintf(stderr, "two_devices copies KIND [peers]|access|speed|unequal\n");
      return 2;
    }
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "two_devices: %s\n", failure.what());
    return 1;
  }
  return 0;
}
