// An ordinary CUDA program that knows nothing of gmlake: replays an allocation trace through CUDA's
// own calls, writes a pattern into each block and checks it before freeing. What it reports is what
// any program could see.
//
// A trace that says how its streams are in order is taken at its word: a block is read on the
// stream that frees it, and nothing else is waited for. Otherwise the host waits where streams
// differ.
//
// Exit status: 0 done, 2 usage or CUDA trouble, 3 out of memory, 4 a pattern was not what had been
// written.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "device.h"
#include "pattern.h"
#include "trace_csv.h"

namespace {

constexpr int kOutOfMemory = 2;  // CUDA's number, in both of its interfaces
constexpr const char* kUsage =
    "usage: replay_client [--api async|malloc] [--touch all|pages|ends|none] [--loops N] [--json "
    "FILE]\n"
    "                     [--no-memory-info] TRACE.csv\n";

struct Options {
  bool async = true;
  Touch touch = Touch::all;
  int loops = 1;
  bool memory_info = true;
  std::string json;
  std::string trace;
};

struct Measurements {
  std::uint64_t operations = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t peak_live_bytes = 0;
  std::uint64_t peak_used_bytes =
      0;  // by cudaMemGetInfo, above what was used before the first allocation
  double allocation_seconds = 0;  // inside allocating and freeing calls
  double wall_seconds = 0;
  long out_of_memory_event = -1;  // -1: none
  int out_of_memory_loop = -1;
  std::size_t out_of_memory_bytes = 0;
};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--no-memory-info") {
      options->memory_info = false;
      continue;
    }
    if (name.rfind("--", 0) != 0) {
      if (!options->trace.empty()) return false;
      options->trace = name;
      continue;
    }
    if (++i == argc) return false;
    std::string value = argv[i];
    if (name == "--api" && (value == "async" || value == "malloc")) {
      options->async = value == "async";
    } else if (name == "--touch" && value == "all") {
      options->touch = Touch::all;
    } else if (name == "--touch" && value == "pages") {
      options->touch = Touch::pages;
    } else if (name == "--touch" && value == "ends") {
      options->touch = Touch::ends;
    } else if (name == "--touch" && value == "none") {
      options->touch = Touch::none;
    } else if (name == "--loops" && std::atoi(value.c_str()) > 0) {
      options->loops = std::atoi(value.c_str());
    } else if (name == "--json") {
      options->json = value;
    } else {
      return false;
    }
  }
  return !options->trace.empty();
}

class Replay {
 public:
  Replay(const Options& options, const Trace& trace)
      : options_(options),
        trace_(trace),
        pattern_(options.touch),
        blocks_(trace.slots),
        streams_(trace.streams),
        cuda_events_(trace.cuda_events) {}

  // Each returns CUDA's number. run() keeps going through a mismatch and stops at the first error.
  int open() {
    if (int code = device::open(); code != 0) return code;
    for (std::size_t i = 1; i < streams_.size(); ++i) {
      if (int code = device::create_stream(&streams_[i]); code != 0) return code;
    }
    for (auto& event : cuda_events_) {
      if (int code = device::create_event(&event); code != 0) return code;
    }
    if (int code = pattern_.open(); code != 0) return code;
    return used_now(&used_before_);
  }

  int run() {
    auto start = Clock::now();
    int code = 0;
    for (int loop = 0; loop < options_.loops && code == 0; ++loop) code = run_once(loop);
    for (int last : {pattern_.settle(), sample_peak()}) {
      if (code == 0) code = last;
    }
    measured_.wall_seconds = seconds_since(start);
    return code;
  }

  const Measurements& measured() const { return measured_; }
  const Pattern& pattern() const { return pattern_; }

 private:
  int run_once(int loop) {
    for (std::size_t i = 0; i < trace_.events.size(); ++i) {
      const Event& event = trace_.events[i];
      const int code = step(event);
      if (code == kOutOfMemory && event.action == Action::allocate) {
        measured_.out_of_memory_event = static_cast<long>(i);
        measured_.out_of_memory_loop = loop;
        measured_.out_of_memory_bytes = event.bytes;
      }
      if (code != 0) return code;
    }
    for (std::uint32_t slot = 0; slot < trace_.slots; ++slot) {  // what the trace leaves live
      if (blocks_[slot].at == nullptr) continue;
      if (int code = release(slot, blocks_[slot].stream); code != 0) return code;
    }
    return 0;
  }

  int step(const Event& event) {
    device::Stream stream = streams_[event.stream];
    switch (event.action) {
      case Action::allocate:
        return allocate(event);
      case Action::release:
        return release(event.slot, stream);
      case Action::record:
        return device::record(cuda_events_[event.slot], stream);
      case Action::wait:
        return device::make_wait(stream, cuda_events_[event.slot]);
    }
    return 0;
  }

  int allocate(const Event& event) {
    Block block{nullptr, event.bytes, next_number_++, streams_[event.stream]};
    auto start = Clock::now();
    int code = options_.async ? device::allocate_async(&block.at, block.bytes, block.stream)
                              : device::allocate(&block.at, block.bytes);
    measured_.allocation_seconds += seconds_since(start);
    if (code != 0) return code;
    ++measured_.operations;
    measured_.live_bytes += block.bytes;
    if (measured_.live_bytes > measured_.peak_live_bytes) {
      measured_.peak_live_bytes = measured_.live_bytes;
      at_peak_ = true;
    }
    blocks_[event.slot] = block;
    return pattern_.write(block);
  }

  int release(std::uint32_t slot, device::Stream stream) {
    Block block = blocks_[slot];
    if (!cuda_events_.empty()) block.stream = stream;
    if (int code = sample_peak(); code != 0) return code;
    if (int code = pattern_.read(block); code != 0) return code;
    if (options_.async && stream != block.stream) {  // freed on another stream than it was used on
      if (int code = device::wait(block.stream); code != 0) return code;
    }
    auto start = Clock::now();
    int code = options_.async ? device::release_async(block.at, stream) : device::release(block.at);
    measured_.allocation_seconds += seconds_since(start);
    if (code != 0) return code;
    ++measured_.operations;
    measured_.live_bytes -= block.bytes;
    blocks_[slot] = Block{};
    return 0;
  }

  // Once for each time live memory stops rising at a new height: the same peak as sampling every
  // allocation.
  int sample_peak() {
    if (!at_peak_) return 0;
    at_peak_ = false;
    std::uint64_t used = 0;
    if (int code = used_now(&used); code != 0) return code;
    if (used > used_before_ && used - used_before_ > measured_.peak_used_bytes) {
      measured_.peak_used_bytes = used - used_before_;
    }
    return 0;
  }

  int used_now(std::uint64_t* used) {
    if (!options_.memory_info) return 0;
    std::size_t free = 0;
    std::size_t total = 0;
    int code = device::memory_info(&free, &total);
    *used = total - free;
    return code;
  }

  const Options& options_;
  const Trace& trace_;
  Pattern pattern_;
  std::vector<Block> blocks_;
  std::vector<device::Stream> streams_;  // [0] is the default stream
  std::vector<device::Event> cuda_events_;
  std::uint64_t next_number_ = 1;
  std::uint64_t used_before_ = 0;
  bool at_peak_ = false;
  Measurements measured_;
};

bool write_json(const std::string& path, const Replay& replay) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  const Measurements& m = replay.measured();
  std::fprintf(file,
               "{\"operations\": %llu, \"peak_live_bytes\": %llu, \"peak_used_bytes\": %llu,\n"
               " \"allocation_seconds\": %.9f, \"wall_seconds\": %.6f, \"pattern_bytes\": %llu,\n"
               " \"mismatches\": %llu, \"out_of_memory\": ",
               static_cast<unsigned long long>(m.operations),
               static_cast<unsigned long long>(m.peak_live_bytes),
               static_cast<unsigned long long>(m.peak_used_bytes), m.allocation_seconds,
               m.wall_seconds, static_cast<unsigned long long>(replay.pattern().bytes()),
               static_cast<unsigned long long>(replay.pattern().mismatches()));
  if (m.out_of_memory_event < 0) {
    std::fprintf(file, "null}\n");
  } else {
    std::fprintf(file, "{\"loop\": %d, \"event\": %ld, \"bytes\": %zu, \"live_bytes\": %llu}}\n",
                 m.out_of_memory_loop, m.out_of_memory_event, m.out_of_memory_bytes,
                 static_cast<unsigned long long>(m.live_bytes));
  }
  return std::fclose(file) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Trace trace = read_trace(options.trace);
  if (!trace.error.empty()) {
    std::fprintf(stderr, "client: %s: %s\n", options.trace.c_str(), trace.error.c_str());
    return 2;
  }
  Replay replay(options, trace);
  int code = replay.open();
  if (code == 0) code = replay.run();
  const Measurements& m = replay.measured();
  if (!options.json.empty() && !write_json(options.json, replay)) {
    std::fprintf(stderr, "client: %s can not be written\n", options.json.c_str());
    return 2;
  }
  if (m.out_of_memory_event >= 0) {
    std::fprintf(stderr,
                 "client: out of memory at event %ld of loop %d: wanted %zu bytes with %llu live "
                 "(CUDA error %d: %s)\n",
                 m.out_of_memory_event, m.out_of_memory_loop, m.out_of_memory_bytes,
                 static_cast<unsigned long long>(m.live_bytes), code, device::describe(code));
    return replay.pattern().mismatches() == 0 ? 3 : 4;
  }
  if (code != 0) {
    std::fprintf(stderr, "client: CUDA error %d\n", code);
    return 2;
  }
  if (replay.pattern().mismatches() != 0) {
    std::fprintf(stderr, "client: %llu pieces were not what had been written\n",
                 static_cast<unsigned long long>(replay.pattern().mismatches()));
    return 4;
  }
  return 0;
}
