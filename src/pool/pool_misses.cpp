// Allocations that need the driver: growing, stitching, and the ladder down to out of memory. The
// growth lock is held throughout; the pool's lock only between driver calls.
#include <algorithm>
#include <cstring>

#include "pool/device_pool.h"

namespace gmlake::pool {
namespace {

constexpr int kOutOfMemory = 2;  // CUDA_ERROR_OUT_OF_MEMORY
constexpr const char* kNoRoom = "the pool's limit or the device's memory is reached";

// Addresses, page tables or mappings have run out, which stitched ranges hold; not physical memory,
// of which they hold none.
bool mapping_failed(const Error& error) {
  return error.what != kNoRoom && std::strcmp(error.what, "cuMemCreate") != 0;
}

}  // namespace

Result<driver::Address> DevicePool::allocate(Bytes bytes, const Origin& origin) {
  if (const auto at = try_allocate(bytes, origin)) return at;
  const std::lock_guard growing(growth_);
  if (auto ready = mappings_.open(); !ready) return fail(ready.error());
  if (placement_.home().size() == 0) {
    const std::lock_guard lock(mutex_);
    placement_.open(mappings_.home_size());
    blocks_.open(mappings_.home(), mappings_.home_size());
  }
  if (bytes > mappings_.most_bytes()) {
    const std::lock_guard lock(mutex_);
    ++counters_.out_of_memory;
    return fail(kOutOfMemory, "the device has less memory than was asked for");
  }
  return miss(bytes, origin);
}

Result<driver::Address> DevicePool::miss(Bytes bytes, const Origin& origin) {
  const bool may_order = config_.streams_reuse_completed && !origin.capture_under_way;
  flush_fronts();
  auto& front = front_of(origin);
  missed_at_ = stream::Fences::Clock::now();
  if (may_order) {
    const auto awaited = awaited_by(front, bytes, true);
    harvest(stream::Fences::Stake::place, missed_at_, &awaited);
  }
  // Another thread may have freed or grown while this one waited for its turn; other streams may be
  // done.
  if (const auto at = try_allocate(bytes, origin)) return at;
  const auto refused = refusal(front, bytes);
  const auto served = serve_miss(bytes, origin);
  count_refusal(refused, served.has_value());
  return served;
}

Result<driver::Address> DevicePool::serve_miss(Bytes bytes, const Origin& origin) {
  if (origin.stream_id == 0 && !origin.capture_under_way)
    if (const auto at = wait_rather_than_grow(bytes, origin)) return at;
  auto served = attempt(bytes, origin, false);
  if (!served) served = ladder(bytes, origin, served.error());
  if (!origin.capture_under_way) keep_windows_in_bounds();
  return served;
}

// By the program's own limits.
Bytes DevicePool::growth_limit() const {
  const Bytes memory = mappings_.device_memory();
  Bytes most = memory;
  if (config_.pool_max_share < 1)
    most = static_cast<Bytes>(static_cast<double>(memory) * config_.pool_max_share);
  if (config_.pool_max_bytes != 0) most = std::min(most, config_.pool_max_bytes);
  return most - std::min(most, placement_.physical());
}

// A small share of the device, which a program that needs nearly all of it does not miss.
Bytes DevicePool::head_room() const {
  constexpr Bytes kShare = 256;
  return std::min(config_.pool_head_room, mappings_.device_memory() / kShare);
}

// What growth leaves to the other users of the device, the driver among them. The device is asked
// only when it may be nearly full: when the pool itself has taken most of it, or growth has failed.
Bytes DevicePool::room_on_device(Bytes bytes, bool frugal, bool into_head_room) const {
  constexpr Bytes kAny = ~Bytes{0};
  const Bytes head = head_room();
  if (into_head_room || head == 0) return kAny;
  const Bytes then = placement_.physical() + bytes + 2 * head;
  if (!frugal && then <= mappings_.device_memory()) return kAny;
  const auto info = device_.memory_info();
  return info ? info->free - std::min(info->free, head) : kAny;
}

memory::MissRules DevicePool::rules(bool frugal, Bytes room) const {
  memory::MissRules rules;
  rules.frugal = frugal;
  rules.grow_limit = std::min(growth_limit(), room);
  rules.may_stitch = budget_.left(StitchBudget::Clock::now());

  // What the device has taken so far, for each handle; to begin with what an H100 took.
  stats::DriverCallCount calls[stats::kDriverCalls];
  device_.count(calls);
  const auto nanoseconds = [&](stats::DriverCall call) {
    return static_cast<double>(calls[static_cast<unsigned>(call)].nanoseconds);
  };
  const auto per = [&](stats::DriverCall call, double ns, double prior) {
    constexpr double kPriorCalls = 16;
    return (ns + prior * kPriorCalls) /
           (static_cast<double>(calls[static_cast<unsigned>(call)].calls) + kPriorCalls);
  };
  using enum stats::DriverCall;
  rules.map_cost = per(cuMemMap, nanoseconds(cuMemMap) + nanoseconds(cuMemSetAccess), 25e3);
  rules.grow_cost = rules.map_cost + per(cuMemCreate, nanoseconds(cuMemCreate), 12e3);
  rules.worth_per_byte =
      config_.stitch_worth == 0 ? 1e300 : 1e6 / static_cast<double>(config_.stitch_worth);
  return rules;
}

Result<driver::Address> DevicePool::attempt(Bytes bytes, const Origin& origin, bool frugal,
                                            bool into_head_room) {
  auto& front = front_of(origin);
  const Bytes room = room_on_device(bytes, frugal, into_head_room);
  const auto begin = [&] {
    const std::lock_guard lock(mutex_);
    return placement_.begin(round_up(bytes, memory::kAlignment), order_of(front),
                            rules(frugal, room));
  };
  auto miss = begin();
  if (miss && miss->plan.grow != 0 && !frugal && !origin.capture_under_way &&
      harvest_before_growth(front, bytes)) {
    {
      const std::lock_guard lock(mutex_);
      placement_.abandon(std::move(*miss), 0);
    }
    if (const auto at = try_allocate(bytes, origin)) return at;
    miss = begin();
  }
  if (!miss) return fail(kOutOfMemory, kNoRoom);
  std::size_t created = 0;
  Mappings::Range window;
  Status done = mappings_.grow(miss->grow_start, miss->handles, created);
  if (done && miss->plan.pieces.size() > 1) {
    const auto start = StitchBudget::Clock::now();
    const auto mapped = mappings_.map_window(miss->plan.pieces);
    budget_.spend(start, StitchBudget::Clock::now());
    if (mapped)
      window = *mapped;
    else
      done = fail(mapped.error());
  }

  const std::lock_guard own(front.lock);
  const std::lock_guard lock(mutex_);
  auto& c = counters_;
  if (done) {
    const auto taken = placement_.finish(std::move(*miss), front.recall);
    if (auto* seen_through = taken.block->live.window) {
      seen_through->address = window.start + window.offset;
      seen_through->mapped_start = window.start;
      seen_through->mapped_size = window.size;
      ++c.windows;
      c.window_bytes += window.size;
    }
    c.physical_bytes = placement_.physical();
    c.peak_physical_bytes = std::max(c.peak_physical_bytes, c.physical_bytes);
    return publish(front, taken, bytes);
  }
  placement_.abandon(std::move(*miss), created);
  c.physical_bytes = placement_.physical();
  c.peak_physical_bytes = std::max(c.peak_physical_bytes, c.physical_bytes);
  return fail(done.error());
}

// Free memory that can not be mapped side by side (too many pieces, a request below
// stitch.min_request) is given back, so that the same bytes can be had in one piece: as much as is
// missing, or nothing if that is not there. What the driver's own allocator would lack counts too.
// A pool with nothing live begins anew, even if it may not stitch.
bool DevicePool::change_shape(Bytes bytes) {
  bool empty = false;
  {
    const std::lock_guard lock(mutex_);
    empty = counters_.live_blocks == 0;
  }
  if (!config_.stitch_enabled && !empty) return false;
  const auto info = device_.memory_info();
  if (!info) return false;
  const Bytes wanted = round_up(bytes, placement_.granule());
  const auto lacking = [&](Bytes room) { return wanted - std::min(wanted, room); };
  Bytes lack = lacking(std::min(growth_limit(), info->free - std::min(info->free, head_room())));
  if (const Bytes native = lacking(info->free); config_.pool_native_fallback && native != 0)
    lack = std::min(lack, native);
  const Bytes most = lack + std::max(config_.pool_chunk_size, config_.pool_largest_chunk);
  const Bytes keep = empty ? 0 : placement_.physical() - std::min(placement_.physical(), most);
  return lack != 0 && give_back(keep, lack) != 0;
}

// The rungs, cheapest first.
Result<driver::Address> DevicePool::ladder(Bytes bytes, const Origin& origin, Error error) {
  bool into_head_room = false;
  Error reported = error;  // the driver's first, if it gave any
  auto again = [&](std::uint64_t stats::DeviceCounters::*rung) -> Result<driver::Address> {
    {
      const std::lock_guard lock(mutex_);
      ++(counters_.*rung);
    }
    if (const auto at = try_allocate(bytes, origin)) return at;
    auto served = attempt(bytes, origin, true, into_head_room);
    if (!served) error = served.error();
    if (!served && reported.what == kNoRoom) reported = error;
    return served;
  };

  const bool may_order = !origin.capture_under_way;
  flush_fronts();
  if (may_order) harvest_all();
  auto served = again(&stats::DeviceCounters::ladder_harvests);
  while (!served && may_order && mapping_failed(error) && evict_some())
    served = again(&stats::DeviceCounters::ladder_evictions);
  const bool may_insert = may_order && origin.stream_id != 0 && config_.streams_insert_waits;
  while (!served && may_insert && insert_wait(bytes, origin))
    served = again(&stats::DeviceCounters::ladder_inserted_waits);
  while (!served && may_order && wait_for_frees())
    served = again(&stats::DeviceCounters::ladder_waits);
  if (!served && may_order && change_shape(bytes))
    served = again(&stats::DeviceCounters::ladder_trims);
  if (!served && head_room() != 0) {
    into_head_room = true;
    served = again(&stats::DeviceCounters::ladder_head_rooms);
    while (!served && may_order && mapping_failed(error) && evict_some())
      served = again(&stats::DeviceCounters::ladder_evictions);
  }
  if (served) return served;

  const std::lock_guard lock(mutex_);
  ++counters_.out_of_memory;
  return fail(reported);
}

}  // namespace gmlake::pool
