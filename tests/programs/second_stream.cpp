// A program that runs ahead of the GPU with cudaMalloc, work and cudaFree on the default stream,
// and then works elsewhere with what it has allocated last: natively each cudaFree has waited.
// Checks what that work wrote.
//
//   second_stream stream|thread|peer|threads
//
// stream: on one that it makes, which the default stream does not wait for. thread: on the thread's
// own. peer: on another device, which is given access. threads: two threads make a stream each
// while the GPU is held up; says how many have one before it goes on.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t kBytes = std::size_t{4} << 20;

void check(const char* what, int result) {
  if (result == 0) return;
  std::printf("%s: %d\n", what, result);
  std::exit(1);
}
#define CHECK(call) check(#call, call)

std::atomic<bool> opened{false};
void wait_until_opened(void*) {
  while (!opened) std::this_thread::yield();
}

cudaStream_t of_two_threads() {
  cudaStream_t streams[2] = {};
  CHECK(cudaLaunchHostFunc(nullptr, wait_until_opened, nullptr));
  std::atomic<int> made{0};
  const auto make = [&](int i) {
    CHECK(cudaStreamCreateWithFlags(&streams[i], cudaStreamNonBlocking));
    ++made;
  };
  std::thread first(make, 0);
  std::thread second(make, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  std::printf("made %d\n", made.load());
  opened = true;
  first.join();
  second.join();
  return streams[1];
}

cudaStream_t elsewhere(const std::string& mode) {
  cudaStream_t stream = nullptr;
  if (mode == "stream") CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  if (mode == "thread") {
    cudaEvent_t event = nullptr;
    stream = cudaStreamPerThread;
    CHECK(cudaEventCreate(&event));
    CHECK(cudaEventRecord(event, stream));
    CHECK(cudaEventDestroy(event));
  }
  if (mode == "peer") {
    CHECK(cudaSetDevice(1));
    CHECK(cudaDeviceEnablePeerAccess(0, 0));
    CHECK(cudaSetDevice(0));
  }
  if (mode == "threads") stream = of_two_threads();
  return stream;
}

}  // namespace

int main(int argc, char** argv) {
  void* block = nullptr;
  for (int i = 0; i < 200; ++i) {
    if (block) CHECK(cudaFree(block));
    CHECK(cudaMalloc(&block, kBytes));
    if (i + 1 < 200) CHECK(cudaMemsetAsync(block, 1, kBytes, nullptr));
  }
  const auto stream = elsewhere(argc > 1 ? argv[1] : "");
  CHECK(cudaMemsetAsync(block, 2, kBytes, stream));
  CHECK(cudaStreamSynchronize(stream));
  unsigned char last = 0;
  CHECK(cudaMemcpy(&last, static_cast<char*>(block) + kBytes - 1, 1, cudaMemcpyDeviceToHost));
  std::printf("last %d\n", last);
  CHECK(cudaFree(block));
  return 0;
}
