// What the driver's calls cost on this machine: the figures the pool's cost model and the simulated
// device's clock come from.
//
// Each measurement runs on 1 or more threads at once and takes device memory for its time. Results
// are medians and 99th percentiles of single calls, in microseconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "doctor/driver.h"
#include "support/result.h"
#include "support/units.h"

namespace gmlake::tool::doctor {

struct Cost {
  std::string call;
  int threads = 1;
  Bytes handle_bytes = 0;   // of each physical handle or block; 0: the call has none
  std::size_t handles = 0;  // in the range the call worked on or among; 0: none
  std::size_t samples = 0;
  double median_us = 0;
  double p99_us = 0;
};

struct CostTable {
  std::string device;
  std::vector<Cost> costs;
  std::vector<std::string> left_out;  // what was not measured, and why
};

using Clock = std::chrono::steady_clock;

// The times of single calls by what was called, in the order of first mention. Not thread-safe.
class Samples {
 public:
  // Makes the call, notes its time, passes on its result.
  template <typename Call>
  auto time(const std::string& name, Call call) {
    auto& list = of(name);
    const auto start = Clock::now();
    const auto result = call();
    list.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    return result;
  }
  void merge(const Samples& other);
  std::vector<Cost> costs(int threads, Bytes handle_bytes, std::size_t handles) const;

 private:
  std::vector<double>& of(const std::string& name);
  std::map<std::string, std::vector<double>> times_;
  std::vector<std::string> order_;
};

// Runs `work` on so many threads, each with `context` current, all starting together. The samples
// of all, or the first error.
Result<Samples> on_threads(const Driver& driver, CUcontext context, int threads,
                           const std::function<Status(Samples&)>& work);

// Device 0, in about so long. The error says which call failed and how.
tl::expected<CostTable, std::string> measure_costs(const Driver& driver, double seconds);

// Parts of measure_costs. The first: memory management calls, for one kind of range. The others:
// one thread's share of calls without memory, and of the driver's own allocators.
Status time_range(const Driver& driver, Bytes handle_bytes, std::size_t handles, int rounds,
                  Samples& samples);
Status time_calls(const Driver& driver, CUcontext context, Samples& samples);
Status time_native(const Driver& driver, Bytes bytes, int rounds, Samples& samples);

}  // namespace gmlake::tool::doctor
