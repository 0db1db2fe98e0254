// The deterministic mode: the seed alone says what happens when. Each run is a process of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <set>
#include <string>

#include "driver.h"
#include "simcuda.h"

namespace gmlake::simcuda::test {
namespace {

// What a program writes to its `log`; "died" after it if it did not come to its end. Without a seed
// the device's threads run as they come.
using Program = void (*)(const Driver& d, std::string& log);
std::string run(Program program, std::optional<std::uint64_t> seed) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    unsetenv("SIMCUDA_SEED");
    if (seed) setenv("SIMCUDA_SEED", std::to_string(*seed).c_str(), 1);
    alarm(30);
    const Driver& d = driver();
    CUcontext context = nullptr;
    std::string log;
    if (d.cuInit(0) != CUDA_SUCCESS || d.cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
        d.cuCtxSetCurrent(context) != CUDA_SUCCESS)
      _exit(1);
    program(d, log);
    _exit(write(ends[1], log.data(), log.size()) == static_cast<ssize_t>(log.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string log;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    log.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? log : log + "died";
}

std::string* kernel_log = nullptr;

void start_streams(const Driver& d, CUstream (&streams)[4]) {
  for (CUstream& stream : streams) d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
}

// Kernels and host functions in four streams, with an edge between two of them; the log is who ran
// when.
void four_streams(const Driver& d, std::string& log) {
  kernel_log = &log;
  const std::size_t size = sizeof(char);
  d.find<decltype(simcuda_register_kernel)>("simcuda_register_kernel")(
      "say",
      [](simcuda_dim3, simcuda_dim3, void** arguments) {
        *kernel_log += *static_cast<char*>(arguments[0]);
      },
      &size, 1);
  CUmodule module = nullptr;
  CUfunction say = nullptr;
  d.cuModuleLoadData(&module, "any");
  d.cuModuleGetFunction(&say, module, "say");
  CUstream streams[4];
  start_streams(d, streams);
  CUevent edge = nullptr;
  d.cuEventCreate(&edge, CU_EVENT_DISABLE_TIMING);
  for (int round = 0; round < 6; ++round)
    for (int i = 0; i < 4; ++i) {
      char letter = static_cast<char>('a' + i);
      void* arguments[] = {&letter};
      d.cuLaunchKernel(say, 1, 1, 1, 1, 1, 1, 0, streams[i], arguments, nullptr);
      static constexpr char kCapitals[] = "ABCD";
      d.cuLaunchHostFunc(
          streams[i], [](void* capital) { *kernel_log += *static_cast<const char*>(capital); },
          const_cast<char*>(&kCapitals[i]));
      if (round == 3 && i == 0) d.cuEventRecord(edge, streams[0]);
      if (round == 3 && i == 1) d.cuStreamWaitEvent(streams[2], edge, 0);
    }
  d.cuCtxSynchronize();
}

// The letters of one stream only.
std::string part_of(const std::string& log, char letter) {
  std::string part;
  for (const char c : log)
    if (c == letter || c == letter - 'a' + 'A') part += c;
  return part;
}

TEST(Schedule, TheSameSeedGivesTheSameRun) {
  std::set<std::string> different;
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    const std::string log = run(four_streams, seed);
    EXPECT_EQ(log, run(four_streams, seed)) << seed;
    EXPECT_EQ(log.size(), 48U) << log;
    // In each stream everything in its order.
    for (const char letter : {'a', 'b', 'c', 'd'}) {
      std::string expected;
      for (int round = 0; round < 6; ++round)
        expected.append({letter, static_cast<char>(letter - 'a' + 'A')});
      EXPECT_EQ(part_of(log, letter), expected) << "seed " << seed << ": " << log;
    }
    different.insert(log);
  }
  EXPECT_GE(different.size(), 8U);
}

void four_streams_of_seed_6(const Driver& d, std::string& log) {
  d.find<decltype(simcuda_reseed)>("simcuda_reseed")(6);
  four_streams(d, log);
}

TEST(Schedule, AProcessCanBeginAnewWithAnotherSeed) {
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    EXPECT_EQ(run(four_streams_of_seed_6, seed), run(four_streams, 6)) << seed;
}

// Memory freed with no stream was allocated behind work on the same pages that is not done.
void free_behind_work(const Driver& d, std::string& log) {
  CUstream streams[4];
  start_streams(d, streams);
  constexpr std::size_t kBytes = 4096;
  CUdeviceptr first = 0;
  CUdeviceptr second = 0;
  CUdeviceptr third = 0;
  d.cuMemAllocAsync(&first, kBytes, streams[0]);
  d.cuMemsetD8Async(first, 1, kBytes, streams[0]);
  d.cuMemFreeAsync(first, streams[0]);
  d.cuMemAllocAsync(&second, kBytes, streams[0]);
  d.cuMemFree_v2(second);  // no access to it is left: there was none
  d.cuMemAllocAsync(&third, kBytes, streams[1]);
  d.cuMemsetD8Async(third, 3, kBytes, streams[1]);
  d.cuStreamSynchronize(streams[1]);
  d.cuStreamSynchronize(streams[0]);
  unsigned char last = 0;
  d.cuMemcpyDtoH_v2(&last, third + kBytes - 1, 1);
  log = std::to_string(last);
}

TEST(Schedule, MemoryFreedWithNoStreamMayHaveEarlierWorkAhead) {
  for (std::uint64_t seed = 0; seed < 16; ++seed)
    EXPECT_EQ(run(free_behind_work, seed), "3") << seed;
}

// Event handles never come back, unless the test asks for it.
void events_come_back(const Driver& d, std::string& log) {
  const auto next_is_the_same = [&] {
    CUevent first = nullptr;
    CUevent second = nullptr;
    d.cuEventCreate(&first, CU_EVENT_DISABLE_TIMING);
    d.cuEventDestroy_v2(first);
    log += d.cuEventQuery(first) == CUDA_ERROR_INVALID_HANDLE ? "gone " : "there ";
    d.cuEventCreate(&second, CU_EVENT_DISABLE_TIMING);
    log += first == second ? "same " : "new ";
    d.cuEventDestroy_v2(second);
  };
  next_is_the_same();
  d.find<decltype(simcuda_recycle_events)>("simcuda_recycle_events")();
  next_is_the_same();
}

TEST(Schedule, EventHandlesCanBeMadeToComeBack) {
  EXPECT_EQ(run(events_come_back, 0), "gone new gone same ");
}

// While a call is under way another may be made by another thread: here at its beginning and at its
// end.
std::string* watch_log = nullptr;
void say_calls(const Driver& d, std::string& log) {
  watch_log = &log;
  CUstream streams[4];
  start_streams(d, streams);
  const auto watch = d.find<decltype(simcuda_watch_calls)>("simcuda_watch_calls");
  watch([](const char* function, int returns) {
    if (std::string(function) != "cuStreamSynchronize") return;
    *watch_log += returns != 0 ? "returns " : "begins ";
    std::thread([] { *watch_log += driver().cuCtxSynchronize() == 0 ? "" : "no context "; }).join();
  });
  d.cuStreamSynchronize(streams[0]);
  watch(nullptr);
  d.cuStreamSynchronize(streams[0]);
}

TEST(Schedule, CallsCanBeWatched) {
  EXPECT_EQ(run(say_calls, 0), "begins no context returns no context ");
}

// A device that is late with everything does nothing of itself, and yet who asks gets on.
void ask_until_done(const Driver& d, std::string& log) {
  CUstream streams[4];
  start_streams(d, streams);
  CUevent event = nullptr;
  d.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING);
  CUdeviceptr at = 0;
  d.cuMemAlloc_v2(&at, 4096);
  unsigned asked = 0;
  for (const CUstream stream : streams) {
    for (unsigned char i = 0; i < 5; ++i) d.cuMemsetD8Async(at, i, 4096, stream);
    d.cuEventRecord(event, stream);
    while (d.cuEventQuery(event) == CUDA_ERROR_NOT_READY) ++asked;
    while (d.cuStreamQuery(stream) == CUDA_ERROR_NOT_READY) ++asked;
  }
  log = "asked " + std::to_string(asked);
}

TEST(Schedule, WhoAsksInALoopGetsOn) {
  std::set<std::string> different;
  for (std::uint64_t seed = 0; seed < 32; ++seed) {
    const std::string log = run(ask_until_done, seed);
    EXPECT_TRUE(log.starts_with("asked ") && !log.ends_with("died")) << seed << ": " << log;
    EXPECT_EQ(log, run(ask_until_done, seed));
    different.insert(log);
  }
  EXPECT_TRUE(different.contains("asked 0"));  // the prompt manner
  EXPECT_GE(different.size(), 8U);
}

// A flag that a host function sets is waited for without a call: then the device runs by itself.
void wait_for_a_flag(const Driver& d, std::string& log) {
  CUstream streams[4];
  start_streams(d, streams);
  std::atomic<int> done{0};
  for (const CUstream stream : streams)
    d.cuLaunchHostFunc(
        stream, [](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &done);
  while (done != 4) std::this_thread::yield();
  log = "done";
}

TEST(Schedule, AFlagCanBeWaitedFor) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) EXPECT_EQ(run(wait_for_a_flag, seed), "done");
}

// A host function that waits for the program does not hold up the others for good.
void hold_one_stream(const Driver& d, std::string& log) {
  CUstream streams[4];
  start_streams(d, streams);
  {
    Gate gate(streams[0]);
    for (int i = 1; i < 4; ++i)
      if (d.cuStreamSynchronize(streams[i]) != CUDA_SUCCESS) log += "failed ";
    log += std::to_string(d.cuStreamQuery(streams[0]));
  }
  d.cuCtxSynchronize();
}

TEST(Schedule, AHostFunctionMayWaitForTheProgram) {
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    EXPECT_EQ(run(hold_one_stream, seed), std::to_string(CUDA_ERROR_NOT_READY)) << seed;
}

// The same by simcuda's own: a run depends on the seed alone, and it is over when let_go returns.
void held(const Driver& d, std::string& log) {
  const auto wait = d.find<decltype(simcuda_wait_for_program)>("simcuda_wait_for_program");
  const auto let_go = d.find<decltype(simcuda_let_go)>("simcuda_let_go");
  const auto say = [&](CUstream stream) { log += d.cuStreamQuery(stream) == 0 ? 'd' : '-'; };
  CUstream streams[4];
  start_streams(d, streams);
  int keys[2];
  for (int i = 0; i < 2; ++i) {
    d.cuLaunchHostFunc(streams[0], wait, &keys[i]);
    d.cuLaunchHostFunc(
        streams[1], [](void*) {}, nullptr);
    d.cuStreamSynchronize(streams[1]);
  }
  say(streams[0]);
  let_go(&keys[1]);  // its turn has not come
  say(streams[0]);
  let_go(&keys[0]);
  d.cuStreamSynchronize(streams[0]);
  say(streams[0]);
}
TEST(Schedule, SimcudaSOwnHostFunctionWaitsForTheProgram) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) EXPECT_EQ(run(held, seed), "--d") << seed;
}

// The second begins on the first one's thread before who let the first go can look.
void held_one_behind_the_other(const Driver& d, std::string& log) {
  const auto wait = d.find<decltype(simcuda_wait_for_program)>("simcuda_wait_for_program");
  const auto let_go = d.find<decltype(simcuda_let_go)>("simcuda_let_go");
  CUstream stream = nullptr;
  d.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
  CUevent first_over = nullptr;
  d.cuEventCreate(&first_over, CU_EVENT_DISABLE_TIMING);
  for (int round = 0; round < 100; ++round) {
    int keys[2];
    std::atomic<bool> begun = false;
    d.cuLaunchHostFunc(
        stream, [](void* flag) { *static_cast<std::atomic<bool>*>(flag) = true; }, &begun);
    d.cuLaunchHostFunc(stream, wait, &keys[0]);
    d.cuEventRecord(first_over, stream);
    d.cuLaunchHostFunc(stream, wait, &keys[1]);
    while (!begun) std::this_thread::yield();
    let_go(&keys[0]);
    d.cuEventSynchronize(first_over);
    let_go(&keys[1]);
    d.cuStreamSynchronize(stream);
  }
  log = "done";
}
TEST(Schedule, LettingOneGoDoesNotWaitForTheNext) {
  EXPECT_EQ(run(held_one_behind_the_other, std::nullopt), "done");
}

}  // namespace
}  // namespace gmlake::simcuda::test
