#include "pool/supply.h"

#include <algorithm>
#include <bit>

#include "support/fault.h"

namespace gmlake::pool {

Supply::Supply(driver::Device& device, const config::Config& config, Books& books)
    : device_(device),
      config_(config),
      books_(books),
      mappings_(device, std::bit_ceil(config.pool_chunk_size), reach_, peers_),
      budget_(config.stitch_time_budget) {}

Status Supply::open() {
  if (auto ready = mappings_.open(); !ready) return ready;
  books_.open(reach_.home(), reach_.home_size(), most_physical());
  return {};
}

Bytes Supply::physical() const {
  const Books::Opened books(books_.mutex());
  return books_.placement().physical();
}

Bytes Supply::most_physical() const {
  const Bytes memory = reach_.device_memory();
  Bytes most = memory != 0 ? memory : ~Bytes{0};  // not known yet
  if (config_.pool_max_share < 1 && memory != 0)
    most = static_cast<Bytes>(static_cast<double>(memory) * config_.pool_max_share);
  const Bytes limit = max_bytes();
  return limit != 0 ? std::min(most, limit) : most;
}

Bytes Supply::growth_limit() const {
  const Bytes most = most_physical();
  const Books::Opened books(books_.mutex());
  const Bytes taken = books_.placement().physical() + (is_limited() ? books_.beside() : 0);
  return most - std::min(most, taken);
}

Bytes Supply::claim_beside(Bytes bytes) {
  const Bytes most = most_physical();
  const Books::Opened books(books_.mutex());
  const Bytes then = books_.placement().physical() + books_.beside() + bytes;
  if (is_limited() && then > most) return then - most;
  books_.claim(bytes);
  return 0;
}

// A small share of the device, which a program that needs nearly all of it does not miss.
Bytes Supply::head_room() const {
  constexpr Bytes kShare = 256;
  return std::min(config_.pool_head_room, reach_.device_memory() / kShare);
}

// What growth leaves to the other users of the device, the driver among them. The device is asked
// only when it may be nearly full: when the pool itself has taken most of it, or growth has failed.
Bytes Supply::room_on_device(Bytes bytes, Room room) const {
  constexpr Bytes kAny = ~Bytes{0};
  const Bytes head = head_room();
  if (room == Room::head || head == 0) return kAny;
  const Bytes then = physical() + bytes + 2 * head;
  if (room == Room::ample && then <= reach_.device_memory()) return kAny;
  const auto info = device_.memory_info();
  return info ? info->free - std::min(info->free, head) : kAny;
}

memory::MissRules Supply::rules(Room room, Bytes most) const {
  memory::MissRules rules;
  rules.frugal = room != Room::ample;
  rules.grow_limit = std::min(growth_limit(), most);
  // What the device has taken so far, for each handle; to begin with what an H100 took.
  stats::DriverCallCount calls[stats::kDriverCalls];
  device_.count(calls);
  const auto nanoseconds = [&](stats::DriverCall call) {
    return static_cast<double>(calls[static_cast<unsigned>(call)].nanoseconds);
  };
  const auto per = [&](stats::DriverCall call, double ns, double prior) {
    constexpr double kPriorCalls = 16;
    return static_cast<std::uint64_t>(
        (ns + prior * kPriorCalls) /
        (static_cast<double>(calls[static_cast<unsigned>(call)].calls) + kPriorCalls));
  };
  using enum stats::DriverCall;
  driver::Pace pace;
  pace.map_ns = per(cuMemMap, nanoseconds(cuMemMap) + nanoseconds(cuMemSetAccess), 25e3);
  pace.create_ns = per(cuMemCreate, nanoseconds(cuMemCreate), 12e3);
  pace.may_stitch = budget_.left(StitchBudget::Clock::now());
  device_.pace(pace);
  rules.may_stitch = pace.may_stitch;
  rules.map_cost = static_cast<double>(pace.map_ns);
  rules.grow_cost = rules.map_cost + static_cast<double>(pace.create_ns);
  rules.worth_per_byte =
      config_.stitch_worth == 0 ? 1e300 : 1e6 / static_cast<double>(config_.stitch_worth);
  return rules;
}

std::optional<memory::Miss> Supply::begin(Front& front, Bytes bytes, PoolTag pool, Room room) {
  return books_.begin_miss(front, bytes, rules(room, room_on_device(bytes, room)), pool);
}

Result<driver::Address> Supply::finish(Front& front, memory::Miss miss, Bytes bytes, PoolTag pool) {
  std::size_t created = 0;
  Books::Seen window;
  Status done = mappings_.grow(miss.grow_start, miss.handles, created);
  if (done && miss.plan.pieces.size() > 1) {
    const auto start = StitchBudget::Clock::now();
    const auto mapped = mappings_.map_window(miss.plan.pieces);
    budget_.spend(start, StitchBudget::Clock::now());
    if (mapped)
      window = {mapped->start, mapped->size, mapped->offset};
    else
      done = fail(mapped.error());
  }
  if (done) return books_.finish_miss(front, std::move(miss), window, bytes, pool);
  books_.abandon_miss(std::move(miss), created);
  return fail(done.error());
}

// At most one at each end of a block. No bound in time is needed: what is cut stays cut.
Status Supply::cut(Front& front, Bytes bytes, PoolTag pool) {
  for (int ends = 2; ends != 0 && !device_.captures(); --ends) {
    auto cut = books_.begin_cut(front, bytes, pool);
    if (!cut) return {};
    const auto divided = divide(std::move(*cut));
    if (!divided) return fail(divided.error());
    if (!*divided) return {};
  }
  return {};
}

Status Supply::cut_to_lend(Front& front) {
  constexpr int kAtOnce = 4;  // some hundred microseconds each
  for (int some = kAtOnce; some != 0 && !device_.captures(); --some) {
    auto cut = books_.begin_cut_to_lend(front, some == kAtOnce);
    if (!cut) return {};
    const auto divided = divide(std::move(*cut));
    if (!divided || !*divided) {
      front.wished_loan.store(0, std::memory_order_relaxed);
      return divided ? Status{} : fail(divided.error());
    }
  }
  if (device_.captures()) front.wished_loan.store(0, std::memory_order_relaxed);
  return {};
}

// False: it stays as it is.
Result<bool> Supply::divide(memory::Cut&& cut) {
  const Bytes size = cut.handle->size;
  const bool beside = std::min(growth_limit(), room_on_device(size, Room::ample)) >= size;
  const auto divided = mappings_.divide(cut.handle->start, cut.sizes, beside);
  if (!divided) return books_.finish_cut(std::move(cut), {}, 0), false;
  books_.finish_cut(std::move(cut), divided->made, divided->beside ? size : 0);
  if (!divided->done) return fail(divided->done.error());
  return true;
}

std::optional<Supply::Shown> Supply::show(driver::Address at) {
  auto block = books_.show(at);
  if (!block) return {};
  Shown shown{block->again, block->bytes, 0, {}};
  shown.handles = mappings_.handles_under(block->pieces, shown.offset);
  return shown;
}

// A pool with nothing live begins anew, even if it may not stitch. What the driver's own allocator
// would lack counts too.
bool Supply::change_shape(Bytes bytes) {
  bool empty = false;
  Bytes granule = 0;
  {
    const Books::Opened books(books_.mutex());
    empty = books_.counters().live_blocks == 0;
    granule = books_.placement().granule();
  }
  if (!config_.stitch_enabled && !empty) return false;
  const auto info = device_.memory_info();
  if (!info) return false;
  const Bytes wanted = round_up(bytes, granule);
  const auto lacking = [&](Bytes room) { return wanted - std::min(wanted, room); };
  Bytes lack = lacking(std::min(growth_limit(), info->free - std::min(info->free, head_room())));
  if (const Bytes native = lacking(info->free); config_.pool_native_fallback && native != 0)
    lack = std::min(lack, native);
  const Bytes most = lack + std::max(config_.pool_chunk_size, config_.pool_largest_chunk);
  const Bytes have = physical();
  const Bytes keep = empty ? 0 : have - std::min(have, most);
  return lack != 0 && give_back(keep, lack) != 0;
}

bool Supply::evict(memory::Window* window) {
  // Still in the index here, but idle; taken out before the unmap so that nobody is given it
  // meanwhile.
  const auto at = window->mapped_start;
  const auto size = window->mapped_size;
  {
    const Books::Opened books(books_.mutex());
    if (window->busy || !books_.is_idle(*window)) return false;
    books_.placement().forget(window);
    auto& counters = books_.counters();
    --counters.windows;
    counters.window_bytes -= size;
    ++counters.windows_evicted;
  }
  return mappings_.unmap(at, size).has_value();
}

bool Supply::evict_some() {
  std::size_t share = 0;
  {
    const Books::Opened books(books_.mutex());
    share = books_.counters().windows / 8 + 1;
  }
  bool any = false;
  for (; share != 0; --share) {
    memory::Window* oldest = nullptr;
    {
      const Books::Opened books(books_.mutex());
      oldest = books_.oldest_idle_window();
    }
    if (!oldest || !evict(oldest)) break;
    any = true;
  }
  return any;
}

bool Supply::has_idle_window() const {
  const Books::Opened books(books_.mutex());
  return books_.placement().windows().oldest([](const memory::Window&) { return true; }) != nullptr;
}

bool Supply::windows_exceed() const {
  const Books::Opened books(books_.mutex());
  const auto& counters = books_.counters();
  return counters.windows > config_.stitch_max_windows ||
         counters.window_bytes > config_.stitch_max_window_bytes;
}

void Supply::keep_windows_in_bounds() {
  while (windows_exceed()) {
    memory::Window* oldest = nullptr;
    {
      const Books::Opened books(books_.mutex());
      oldest = books_.oldest_idle_window();
    }
    if (!oldest || !evict(oldest)) return;
  }
}

Bytes Supply::give_back(Bytes keep, Bytes least) {
  memory::Trim trim;
  {
    const Books::Opened books(books_.mutex());
    auto& placement = books_.placement();
    const Bytes physical = placement.physical();
    if (physical <= keep) return 0;
    trim = placement.begin_trim(physical - keep, passed());
    Bytes found = 0;
    for (const auto* handle : trim.handles) found += handle->size;
    if (found < least || found == 0) return placement.finish_trim(std::move(trim), 0), 0;
  }
  return finish(std::move(trim));
}

Bytes Supply::give_back_unwanted(Bytes most, std::uint32_t since) {
  memory::Trim trim;
  {
    const Books::Opened books(books_.mutex());
    trim = books_.placement().begin_trim(most, passed(), since);
    if (trim.handles.empty()) return books_.placement().finish_trim(std::move(trim), 0), 0;
  }
  return finish(std::move(trim));
}

memory::Order Supply::passed() const {
  return {0, GMLAKE_FAULT(trim_at_work) ? 1 : memory::kNoTimeline,
          &books_.timelines().all_passed()};
}

Bytes Supply::finish(memory::Trim trim) {
  // Memory is given back only once no mapping shows it: a window that stays keeps all of it.
  bool unmapped = true;
  for (auto* window : trim.windows) unmapped = evict(window) && unmapped;
  std::size_t released = 0;
  Bytes bytes = 0;
  for (; unmapped && released < trim.handles.size(); ++released) {
    const auto* handle = trim.handles[released];
    if (!mappings_.shrink(handle->start)) break;
    bytes += handle->size;
  }
  const Books::Opened books(books_.mutex());
  auto& counters = books_.counters();
  books_.placement().finish_trim(std::move(trim), released);
  counters.physical_bytes = books_.placement().physical();
  counters.trims += bytes != 0 ? 1 : 0;
  counters.trimmed_bytes += bytes;
  return bytes;
}

}  // namespace gmlake::pool
