#include "doctor/costs.h"

#include <algorithm>
#include <array>
#include <barrier>
#include <thread>

#include <spdlog/fmt/fmt.h>

namespace gmlake::tool::doctor {
namespace {

double quantile(std::vector<double>& times, double part) {
  const auto at = static_cast<std::size_t>(part * static_cast<double>(times.size() - 1) + 0.5);
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(at), times.end());
  return times[at];
}

struct Shape {
  int threads;
  Bytes handle_bytes;
  std::size_t handles;
};

// Small before large, one thread before many: what the time does not suffice for is the least
// telling.
std::vector<Shape> shapes() {
  std::vector<Shape> out;
  for (std::size_t handles : {1, 16, 256, 1024})
    for (Bytes bytes : {2 * MiB, 8 * MiB, 32 * MiB, 128 * MiB, GiB})
      out.push_back({1, bytes, handles});
  for (int threads : {2, 4})
    for (std::size_t handles : {16, 256})
      for (Bytes bytes : {2 * MiB, 32 * MiB}) out.push_back({threads, bytes, handles});
  return out;
}

std::string describe(const Shape& shape) {
  return fmt::format("{} handles of {} on {} threads", shape.handles,
                     exact_bytes(shape.handle_bytes), shape.threads);
}

class Measurement {
 public:
  Measurement(const Driver& driver, CUcontext context, double seconds)
      : driver_(driver),
        context_(context),
        end_(Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

  Status run() {
    for (int threads : {1, 2, 4}) {
      auto samples = on_threads(driver_, context_, threads, [this](Samples& mine) {
        return time_calls(driver_, context_, mine);
      });
      if (Status status = add(samples, {threads, 0, 0}); !status) return status;
    }
    if (driver_.cuMemPoolTrimTo_ == nullptr)
      table.left_out.push_back("cuMemAllocAsync: the driver has no memory pool functions");
    for (Bytes bytes : {Bytes{512}, 2 * MiB, 64 * MiB, GiB})
      if (Status status = native(bytes); !status) return status;
    for (const Shape& shape : shapes())
      if (Status status = range(shape); !status) return status;
    return {};
  }
  CostTable table;

 private:
  bool fits(Bytes bytes) const {
    std::size_t free = 0;
    std::size_t total = 0;
    return driver_.table.cuMemGetInfo_v2_(&free, &total) == CUDA_SUCCESS && bytes <= free / 4 * 3;
  }
  Status add(const Result<Samples>& samples, const Shape& shape) {
    if (!samples) return fail(samples.error());
    const auto costs = samples->costs(shape.threads, shape.handle_bytes, shape.handles);
    table.costs.insert(table.costs.end(), costs.begin(), costs.end());
    return {};
  }
  Status native(Bytes bytes) {
    if (!fits(2 * bytes)) {
      table.left_out.push_back(fmt::format("native {}: too little free", exact_bytes(bytes)));
      return {};
    }
    return add(on_threads(driver_, context_, 1,
                          [&](Samples& mine) {
                            return time_native(driver_, bytes, bytes >= GiB ? 16 : 100, mine);
                          }),
               {1, bytes, 0});
  }
  Status range(const Shape& shape) {
    const Bytes bytes = shape.handle_bytes * shape.handles;
    if (!fits(bytes * static_cast<unsigned>(shape.threads))) {
      table.left_out.push_back(describe(shape) + ": too little memory free");
      return {};
    }
    if (Clock::now() >= end_) {
      table.left_out.push_back(describe(shape) + ": the time was up");
      return {};
    }
    const auto wanted = std::clamp<std::size_t>(512 / shape.handles, 3, 64);
    const int rounds = bytes >= 4 * GiB ? 2 : static_cast<int>(wanted);
    return add(on_threads(driver_, context_, shape.threads,
                          [&](Samples& mine) {
                            return time_range(driver_, shape.handle_bytes, shape.handles, rounds,
                                              mine);
                          }),
               shape);
  }

  const Driver& driver_;
  CUcontext context_;
  Clock::time_point end_;
};

}  // namespace

std::vector<double>& Samples::of(const std::string& name) {
  auto [at, fresh] = times_.try_emplace(name);
  if (fresh) order_.push_back(name);
  return at->second;
}

void Samples::merge(const Samples& other) {
  for (const auto& name : other.order_) {
    auto& mine = of(name);
    const auto& more = other.times_.at(name);
    mine.insert(mine.end(), more.begin(), more.end());
  }
}

std::vector<Cost> Samples::costs(int threads, Bytes handle_bytes, std::size_t handles) const {
  std::vector<Cost> out;
  for (const auto& name : order_) {
    auto times = times_.at(name);
    if (times.empty()) continue;
    out.push_back({name, threads, handle_bytes, handles, times.size(), quantile(times, 0.5),
                   quantile(times, 0.99)});
  }
  return out;
}

Result<Samples> on_threads(const Driver& driver, CUcontext context, int threads,
                           const std::function<Status(Samples&)>& work) {
  std::barrier start(threads);
  std::vector<Samples> samples(static_cast<std::size_t>(threads));
  std::vector<Status> statuses(static_cast<std::size_t>(threads));
  std::vector<std::jthread> running;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    running.emplace_back([&, i] {
      const CUresult code = driver.cuCtxSetCurrent_(context);
      start.arrive_and_wait();
      if (code == CUDA_SUCCESS) {
        statuses[i] = work(samples[i]);
      } else {
        statuses[i] = fail(code, "cuCtxSetCurrent");
      }
    });
  }
  running.clear();  // joins
  Samples all;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!statuses[i]) return fail(statuses[i].error());
    all.merge(samples[i]);
  }
  return all;
}

tl::expected<CostTable, std::string> measure_costs(const Driver& driver, double seconds) {
#define X(symbol, type, wanted)              \
  if (wanted && driver.symbol##_ == nullptr) \
    return tl::unexpected<std::string>("the driver has no " #symbol ", which the costs need");
  GMLAKE_DOCTOR_FUNCTIONS(X)
#undef X
  CUdevice device = 0;
  CUcontext context = nullptr;
  CUresult code = driver.table.cuDeviceGet_(&device, 0);
  if (code == CUDA_SUCCESS) code = driver.table.cuDevicePrimaryCtxRetain_(&context, device);
  if (code == CUDA_SUCCESS) code = driver.cuCtxSetCurrent_(context);
  if (code != CUDA_SUCCESS)
    return tl::unexpected("device 0 can not be used: " + error_name(driver, code));
  std::array<char, 100> name{};
  (void)driver.cuDeviceGetName_(name.data(), static_cast<int>(name.size()), device);
  Measurement measurement(driver, context, seconds);
  measurement.table.device = name.data();
  if (const Status status = measurement.run(); !status)
    return tl::unexpected(fmt::format("timing the calls stopped at \"{}\": {}", status.error().what,
                                      error_name(driver, status.error().code)));
  return std::move(measurement.table);
}

}  // namespace gmlake::tool::doctor
