// Streams in a ring, each of which has freed memory: in turn, an event is recorded on each and the
// next one waits for it. Prints the mean time of a record and of a wait.
//
//   order_loop STREAMS CALLS
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{2} << 20;

void check(const char* what, cudaError_t result) {
  if (result == cudaSuccess) return;
  std::fprintf(stderr, "%s: %d\n", what, static_cast<int>(result));
  std::exit(2);
}
#define CHECK(call) check(#call, call)

template <typename Body>
double nanoseconds_each(std::size_t count, Body body) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < count; ++i) body(i);
  const auto time = std::chrono::steady_clock::now() - start;
  return std::chrono::duration<double, std::nano>(time).count() / static_cast<double>(count);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: order_loop STREAMS CALLS\n", stderr);
    return 2;
  }
  const auto count = static_cast<std::size_t>(std::atol(argv[1]));
  const auto calls = static_cast<std::size_t>(std::atol(argv[2]));
  std::vector<cudaStream_t> streams(count);
  std::vector<cudaEvent_t> events(count);
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking));
    CHECK(cudaEventCreateWithFlags(&events[i], cudaEventDisableTiming));
    void* block = nullptr;
    CHECK(cudaMallocAsync(&block, kBytes, streams[i]));
    CHECK(cudaFreeAsync(block, streams[i]));
  }
  const auto record = [&](std::size_t i) {
    CHECK(cudaEventRecord(events[i % count], streams[i % count]));
  };
  const auto wait = [&](std::size_t i) {
    CHECK(cudaStreamWaitEvent(streams[(i + 1) % count], events[i % count], 0));
  };
  // In short runs of one kind, so that neither meets a full queue of the device.
  const std::size_t run = std::max<std::size_t>(64, count);
  double record_ns = 0, wait_ns = 0;
  std::size_t runs = 0;
  for (std::size_t done = 0; done < calls; done += run, ++runs) {
    record_ns += nanoseconds_each(run, record);
    wait_ns += nanoseconds_each(run, wait);
    CHECK(cudaDeviceSynchronize());
  }
  std::printf("{\"record_ns\": %.1f, \"wait_ns\": %.1f}\n", record_ns / static_cast<double>(runs),
              wait_ns / static_cast<double>(runs));
  return 0;
}
