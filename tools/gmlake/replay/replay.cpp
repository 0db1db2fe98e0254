// The loop over the events; see replay.h.
#include "replay/replay.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <spdlog/fmt/fmt.h>

#include "replay/lagging_device.h"
#include "replay/malloc_pair.h"
#include "replay/recorded_pool.h"

namespace gmlake::replay {
namespace {

using Clock = std::chrono::steady_clock;

// The loop from which on times count, from 0.
constexpr unsigned kFirstSteady = 4;

struct DriverUse {
  std::uint64_t calls = 0, nanoseconds = 0;
};

DriverUse driver_use(const stats::DeviceReport& report) {
  DriverUse use;
  for (const auto& call : report.driver) {
    use.calls += call.calls;
    use.nanoseconds += call.nanoseconds;
  }
  return use;
}

// A block that the trace never frees, and the stream to free it on.
struct Remaining {
  std::uint32_t block;
  std::uint16_t stream;
};

std::vector<Remaining> never_freed(const trace::Trace& trace) {
  constexpr std::uint32_t kFreed = ~std::uint32_t{0};
  std::vector<Remaining> blocks(trace.allocations);
  for (const auto& event : trace.events)
    if (event.of_memory())
      blocks[event.block] = {event.kind() == trace::Kind::free ? kFreed : event.block,
                             event.stream};
  std::erase_if(blocks, [](const Remaining& r) { return r.block == kFreed; });
  return blocks;
}

Bytes peak_of(const trace::Trace& trace, std::size_t events) {
  Bytes live = 0, peak = 0;
  for (std::size_t i = 0; i < events; ++i) {
    const auto& event = trace.events[i];
    if (!event.of_memory()) continue;
    live = event.kind() == trace::Kind::free ? live - event.bytes : live + event.bytes;
    peak = std::max(peak, live);
  }
  return peak;
}

class Player {
 public:
  Player(const trace::Trace& trace, const SimulatedDevice::Streams& streams, const Manner& manner,
         LaggingDevice& device, pool::DevicePool& pool)
      : trace_(trace),
        streams_(streams),
        one_stream_(manner.one_stream),
        device_(device),
        pool_(pool),
        addresses_(trace.allocations),
        remaining_(never_freed(trace)) {
    // Where nothing was recorded of a pool there is nothing to tell, at no cost for each row.
    const bool has_paces = manner.lag == LaggingDevice::kRecorded && !trace.paces.empty();
    if (device.is_recorded() || has_paces) recorded_.emplace(trace, streams, device, pool);
  }

  enum class Outcome { finished, out_of_memory, failed, interrupted };
  Outcome run_once(unsigned loop, const Manner& manner);
  std::size_t position() const { return position_; }  // of the event that did not succeed
  // With the frees of what the trace leaves live, which are as good as any.
  std::size_t events() const { return position_ + freed_; }
  Error error() const { return error_; }

 private:
  const pool::Origin& origin_of(std::uint16_t stream) const {
    return streams_[one_stream_ ? 0 : stream];
  }
  static LaggingDevice::Lane lane_of(const pool::Origin& origin) {
    return origin.host() ? LaggingDevice::kHost : origin.stream;
  }
  void order(const trace::Event& event);

  const trace::Trace& trace_;
  const SimulatedDevice::Streams& streams_;
  const bool one_stream_;
  LaggingDevice& device_;
  pool::DevicePool& pool_;
  std::vector<driver::Address> addresses_;
  std::vector<Remaining> remaining_;
  stream::Recording recordings_ = 0;
  std::size_t position_ = 0;
  std::size_t freed_ = 0;  // after the last of them
  std::optional<RecordedPool> recorded_;
  Error error_;
};

// The calls of the driver door (hooks/order_door.cpp), around a driver call that always succeeds.
void Player::order(const trace::Event& event) {
  // The pool knows events by their handles and never looks behind them.
  auto* const handle = reinterpret_cast<driver::Event>(std::uintptr_t{event.block} + 1);
  const auto& origin = origin_of(event.stream);
  if (event.kind() == trace::Kind::record) {
    const auto number = ++recordings_;
    const bool seen = pool_.recording(handle, origin, number);
    device_.recorded(event.block, lane_of(origin));
    if (seen) pool_.recorded(handle, number, true);
    return;
  }
  if (event.kind() == trace::Kind::complete) {
    const auto given = pool_.given(origin);
    device_.complete(lane_of(origin));
    if (!given.empty()) pool_.happened(given);
    return;
  }
  const auto number = pool_.recording_of(handle);
  if (event.kind() == trace::Kind::wait) {
    if (number != 0) pool_.waits(origin, handle, number);
  } else {
    device_.synchronize(event.block);
    if (number != 0) pool_.happened(handle, number);
  }
}

Player::Outcome Player::run_once(unsigned loop, const Manner& manner) {
  constexpr std::size_t kAskEach = 1024;
  freed_ = 0;
  if (recorded_) recorded_->begin();
  for (position_ = 0; position_ < trace_.events.size(); ++position_) {
    if (position_ % kAskEach == 0 && manner.go_on && !manner.go_on(loop, position_))
      return Outcome::interrupted;
    const auto& event = trace_.events[position_];
    if (event.of_pool()) continue;
    // What a recorded pool did for an allocation it did before the row.
    const bool after = device_.is_recorded() && event.kind() == trace::Kind::allocate;
    if (recorded_) recorded_->before(position_);
    if (!after) device_.advance();
    if (!event.of_memory()) {
      order(event);
      continue;
    }
    if (event.kind() == trace::Kind::free) {
      if (!pool_.free(addresses_[event.block], origin_of(event.stream))) return Outcome::failed;
      continue;
    }
    // A request for nothing takes a block all the same where a trace shows it with an address.
    const auto at = pool_.allocate(std::max<Bytes>(1, event.bytes), origin_of(event.stream));
    if (!at) {
      error_ = at.error();
      const bool full = error_.kind == ErrorKind::limit || error_.code == CUDA_ERROR_OUT_OF_MEMORY;
      return full ? Outcome::out_of_memory : Outcome::failed;
    }
    addresses_[event.block] = *at;
    if (recorded_) recorded_->after();
    if (after) device_.advance();
  }
  for (const auto& [block, stream] : remaining_) {
    if (!pool_.free(addresses_[block], origin_of(stream))) return Outcome::failed;
    ++freed_;
  }
  return Outcome::finished;
}

}  // namespace

trace::Expected<Result> replay(const trace::Trace& trace, const SimulatedDevice& simulated,
                               const config::Config& config, const Manner& manner) {
  const auto instant = simulated.fresh();
  if (!instant) return tl::unexpected(instant.error());
  const bool nothing_said = trace.fences == 0 || manner.one_stream;
  LaggingDevice device(**instant,
                       manner.lag == LaggingDevice::kRecorded && nothing_said ? 0 : manner.lag);
  SimulatedDevice::Streams streams(simulated);
  for (std::size_t i = 0; i < trace.streams.size(); ++i) {
    const bool blocking = trace.blocking.count(static_cast<std::uint16_t>(i)) != 0;
    if (const auto added = streams.add(trace.streams[i], blocking); !added)
      return tl::unexpected(added.error());
  }
  pool::DevicePool pool(0, device, config);
  Player player(trace, streams, manner, device, pool);

  Result result;
  result.events = trace.events.size();
  result.malloc_pair_nanoseconds = malloc_pair_nanoseconds();
  result.report = pool.report();
  for (unsigned loop = 0; loop < manner.loops && !result.out_of_memory; ++loop) {
    const auto before = result.report;
    const auto modelled_before = simulated.modelled_nanoseconds();
    const auto start = Clock::now();
    const auto outcome = player.run_once(loop, manner);
    const auto elapsed = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    if (outcome == Player::Outcome::failed)
      return tl::unexpected(
          fmt::format("loop {}, event {}: the pool refused it: {} (CUDA error {})", loop + 1,
                      player.position(), player.error().what, player.error().code));
    if (outcome == Player::Outcome::interrupted) {
      result.interrupted = true;
      break;
    }
    result.out_of_memory = outcome == Player::Outcome::out_of_memory;
    if (result.out_of_memory) result.picture = pool.picture();
    result.report = pool.report();
    result.peak_live = std::max(result.peak_live, peak_of(trace, player.position()));

    const auto& now = result.report.counters;
    result.stitches_per_loop.push_back(now.stitches - before.counters.stitches);
    result.utilization_per_loop.push_back(now.peak_physical_bytes == 0
                                              ? 0
                                              : static_cast<double>(result.peak_live) /
                                                    static_cast<double>(now.peak_physical_bytes));
    const auto use = driver_use(result.report), used = driver_use(before);
    result.driver_calls_last_loop = use.calls - used.calls;
    if (loop == 0) result.driver_calls_first_loop = use.calls;
    result.modelled_driver_ns_last_loop = simulated.modelled_nanoseconds() - modelled_before;
    result.modelled_driver_ns += result.modelled_driver_ns_last_loop;
    const auto in_pool = elapsed - static_cast<double>(use.nanoseconds - used.nanoseconds);
    if (player.events() > 0) {
      const auto per_event = std::max(0.0, in_pool) / static_cast<double>(player.events());
      result.nanoseconds_per_event =
          loop > kFirstSteady ? std::min(result.nanoseconds_per_event, per_event) : per_event;
    }
  }
  // The trace's own names say more than the simulated streams' numbers.
  for (auto& pair : result.report.unproved.pairs)
    for (auto* name : {&pair.wanted_by, &pair.freed_by})
      for (std::size_t i = 0; i < trace.streams.size(); ++i)
        if (streams[i].stream_id == name->id) {
          const auto own = trace.stream_threads.find(static_cast<std::uint16_t>(i));
          const bool per_thread = own != trace.stream_threads.end();
          if (per_thread) name->kind = stats::StreamName::Kind::per_thread;
          name->id = per_thread ? own->second : trace.streams[i];
          break;
        }
  result.malloc_pair_nanoseconds =
      std::min(result.malloc_pair_nanoseconds, malloc_pair_nanoseconds());
  return result;
}

}  // namespace gmlake::replay
