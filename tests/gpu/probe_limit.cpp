// How much there can be: handles and mappings until the card is full, and virtual address space.
#include <algorithm>

#include "block.h"
#include "probe.h"

namespace gpu {
namespace {

struct Info {
  std::size_t free = 0;
  std::size_t total = 0;
};
Info info() {
  Info out;
  GPU(cuMemGetInfo_v2_(&out.free, &out.total));
  return out;
}

std::string median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return text(times[times.size() / 2]);
}

// Fills the card with 2 MiB handles, each mapped, and says what a call costs on the way.
void fill() {
  open_device();
  const Info before = info();
  const std::size_t most = before.total / kChunk;
  Range home(most * kChunk);
  std::vector<CUmemGenericAllocationHandle> handles;
  std::vector<double> create_times;
  std::vector<double> map_times;
  std::vector<double> access_times;
  CUresult code = CUDA_SUCCESS;
  std::string failing = "cuMemCreate";
  const auto say = [&] {
    const auto count = std::to_string(handles.size());
    answer("fill/at_" + count, "microseconds",
           "median of the last calls: create " + median(create_times) + ", map " +
               median(map_times) + ", set access " + median(access_times));
    create_times.clear();
    map_times.clear();
    access_times.clear();
  };
  while (handles.size() < most) {
    CUmemGenericAllocationHandle handle = 0;
    create_times.push_back(microseconds([&] { code = create(&handle, kChunk); }));
    if (code != CUDA_SUCCESS) break;
    const CUdeviceptr at = home.at() + handles.size() * kChunk;
    handles.push_back(handle);
    failing = "cuMemMap";
    map_times.push_back(microseconds([&] { code = driver().cuMemMap_(at, kChunk, 0, handle, 0); }));
    if (code != CUDA_SUCCESS) break;
    failing = "cuMemSetAccess";
    access_times.push_back(microseconds([&] { code = set_access(at, kChunk); }));
    if (code != CUDA_SUCCESS) break;
    failing = "cuMemCreate";
    for (std::size_t mark : {100U, 1000U, 10000U, 30000U, 60000U})
      if (handles.size() == mark) say();
  }
  const Info full = info();
  answer("fill/full", code,
         failing + " after " + std::to_string(handles.size()) + " handles of 2 MiB; before " +
             std::to_string(before.free >> 20) + " MiB of " + std::to_string(before.total >> 20) +
             " free, now " + std::to_string(full.free >> 20));
  CUdeviceptr at = 0;
  for (std::size_t bytes : {std::size_t{1} << 10, kChunk, std::size_t{64} << 20})
    answer("fill/cuMemAlloc_" + std::to_string(bytes), driver().cuMemAlloc_v2_(&at, bytes));
  answer("fill/cuMemAllocAsync_2MiB", driver().cuMemAllocAsync_(&at, kChunk, nullptr));
  CUstream stream = nullptr;
  answer("fill/cuStreamCreate", driver().cuStreamCreate_(&stream, CU_STREAM_NON_BLOCKING));
  CUevent event = nullptr;
  answer("fill/cuEventCreate", driver().cuEventCreate_(&event, CU_EVENT_DISABLE_TIMING));
  if (!handles.empty()) {
    answer("fill/last_handle_usable",
           driver().cuMemsetD32_v2_(home.at() + (handles.size() - 1) * kChunk, 1, kChunk / 4));
    const double unmap =
        microseconds([&] { code = driver().cuMemUnmap_(home.at(), handles.size() * kChunk); });
    answer("fill/unmap_all", code, text(unmap) + " us in one call");
    const double release = microseconds([&] {
      for (auto handle : handles) (void)driver().cuMemRelease_(handle);
    });
    answer("fill/release_all", "microseconds",
           text(release / static_cast<double>(handles.size())) + " us each");
  }
  answer("fill/after", "bytes", std::to_string(info().free >> 20) + " MiB free");
}

// Many mappings of few handles: is it mappings or memory that is limited?
void many_mappings() {
  open_device();
  constexpr std::size_t kHandles = 64;
  constexpr std::size_t kWindows = 1024;
  Handles handles(kHandles, kChunk);
  std::vector<Range> windows;
  CUresult code = CUDA_SUCCESS;
  std::string why = "all made";
  const Info before = info();
  double first = 0;
  double last = 0;
  try {
    while (windows.size() < kWindows) {
      last = microseconds([&] {
        windows.emplace_back(kHandles * kChunk);
        windows.back().map_all(handles);
        check(set_access(windows.back().at(), windows.back().bytes()), "cuMemSetAccess");
      });
      if (windows.size() == 1) first = last;
    }
  } catch (const Failure& failure) {
    code = failure.code;
    why = failure.what();
  }
  const Info now = info();
  answer("many_mappings", code,
         std::to_string(windows.size() * kHandles) + " mappings of 64 handles, " + why +
             "; first window " + text(first) + " us, last " + text(last) + " us; " +
             std::to_string((before.free - std::min(before.free, now.free)) >> 20) +
             " MiB of device memory gone for page tables");
  const double drop = microseconds([&] { windows.pop_back(); });
  answer("many_mappings/drop", "microseconds", "unmapping one window of 64: " + text(drop) + " us");
}

void reserve() {
  const std::size_t total = info().total;
  for (std::size_t times : {1U, 2U, 8U, 64U, 512U, 4096U}) {
    const std::size_t bytes = total / kChunk * kChunk * times;
    CUdeviceptr at = 0;
    CUresult code = CUDA_SUCCESS;
    const double time =
        microseconds([&] { code = driver().cuMemAddressReserve_(&at, bytes, 0, 0, 0); });
    answer("reserve/" + std::to_string(times) + "x", code,
           std::to_string(bytes >> 30) + " GiB in one range, " + text(time) + " us");
    if (code == CUDA_SUCCESS) (void)driver().cuMemAddressFree_(at, bytes);
  }
  std::vector<Range> ranges;
  const std::size_t each = total / kChunk * kChunk;
  CUresult code = CUDA_SUCCESS;
  try {
    while (ranges.size() < 2048) ranges.emplace_back(each);
  } catch (const Failure& failure) {
    code = failure.code;
  }
  answer("reserve/many", code,
         std::to_string(ranges.size()) + " ranges of " + std::to_string(each >> 30) + " GiB");
}

void alignment() {
  for (std::size_t align : {std::size_t{0}, kChunk, std::size_t{1} << 30}) {
    CUdeviceptr at = 0;
    const CUresult code = driver().cuMemAddressReserve_(&at, 4 * kChunk, align, 0, 0);
    answer("reserve/alignment_" + std::to_string(align), code, hex(at));
    if (code == CUDA_SUCCESS) (void)driver().cuMemAddressFree_(at, 4 * kChunk);
  }
}

// A request no card can meet, and one just beyond what is left.
void beyond() {
  CUdeviceptr at = 0;
  CUmemGenericAllocationHandle handle = 0;
  const Info now = info();
  answer("beyond/cuMemAlloc_1EiB", driver().cuMemAlloc_v2_(&at, std::size_t{1} << 60));
  answer("beyond/cuMemAllocAsync_1EiB",
         driver().cuMemAllocAsync_(&at, std::size_t{1} << 60, nullptr));
  const CUresult all = driver().cuMemAlloc_v2_(&at, now.total);
  answer("beyond/cuMemAlloc_all_there_is", all);
  if (all == CUDA_SUCCESS) (void)driver().cuMemFree_v2_(at);
  answer("beyond/cuMemCreate_all_there_is", create(&handle, now.total / kChunk * kChunk));
  answer("beyond/cuMemCreate_unaligned", create(&handle, kChunk + 4096));
  answer("beyond/cuMemAlloc_0", driver().cuMemAlloc_v2_(&at, 0));
  answer("beyond/cuMemAllocAsync_0", driver().cuMemAllocAsync_(&at, 0, nullptr));
}

}  // namespace

std::vector<Probe> limit_probes() {
  return {{"reserve", reserve, false},
          {"alignment", alignment},
          {"beyond", beyond},
          {"many_mappings", many_mappings, true},
          {"fill", fill, true}};
}

}  // namespace gpu
