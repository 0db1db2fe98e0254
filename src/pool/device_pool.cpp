#include "pool/device_pool.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "support/fault.h"
#include "support/no_cancel.h"

namespace gmlake::pool {

using Stake = Follower::Stake;

DevicePool::DevicePool(int ordinal, driver::Device& device, const config::Config& config,
                       stats::Records* records)
    : ordinal_(ordinal),
      device_(device),
      config_(config),
      books_(config, ordinal, records),
      supply_(device, config, books_),
      follower_(device, config, books_) {
  device_.count_in(books_.record().driver);
}

DevicePool::~DevicePool() = default;

Front& DevicePool::front_of(const Origin& origin) {
  Front& front = books_.front_of(origin);
  if (config_.streams_single_stream && front.host &&
      front.one_stream.load(std::memory_order_relaxed) == OneStream::not_known)
    begin_one_stream(front);
  return front;
}

driver::Address DevicePool::try_allocate(Bytes bytes, const Origin& origin) {
  if (origin.pool != kDefaultPool) [[unlikely]]
    return try_allocate_of(bytes, origin);
  if (bytes > supply_.most_bytes()) return 0;
  auto& front = front_of(origin);
  const auto take = [&] { return books_.take(front, bytes, kDefaultPool, memory::Coarse::refuse); };
  if (const auto at = take()) return at;
  if (!origin.host() || !config_.streams_reuse_completed || !follower_.harvest_own(front, bytes))
    return 0;
  return take();
}

Result<driver::Address> DevicePool::allocate(Bytes bytes, const Origin& origin) {
  if (const auto at = try_allocate(bytes, origin)) return at;
  if (origin.pool == kDefaultPool) return allocate_anew(bytes, origin);
  auto& account = books_.accounts().at(origin.pool);
  if (!account.promise(bytes)) return fail(ErrorKind::pool_limit, "the memory pool's maxSize");
  auto served = allocate_anew(bytes, origin);
  if (!served) account.take_back_promise(bytes);
  return served;
}

Result<driver::Address> DevicePool::allocate_anew(Bytes bytes, const Origin& origin) {
  const NoCancel whole;
  {
    const Growing growing(supply_.mutex());
    if (auto ready = supply_.open(); !ready) return fail(ready.error());
  }
  if (bytes > supply_.most_bytes()) {
    count_rung(&stats::DeviceCounters::out_of_memory);
    return fail(ErrorKind::limit, "the device has less memory than was asked for");
  }
  Request request{bytes, origin, front_of(origin)};
  auto served = miss(request);
  keep_windows_in_bounds();
  books_.note_moment(static_cast<std::uint64_t>(request.since.time_since_epoch().count()));
  return served;
}

Result<driver::Address> DevicePool::miss(Request& request) {
  books_.unpark_all(Books::Loans::stay);
  Status cut;
  const auto look = [&]() -> driver::Address {
    const Growing growing(supply_.mutex());
    if (takes_completed(request)) {
      const auto awaited = books_.awaited_by(request.front, request.bytes, true);
      follower_.harvest(Stake::place, request.since, &awaited);
    }
    // Another thread may have freed or grown while this one waited for its turn; other streams may
    // be done.
    cut = supply_.cut_to_lend(request.front);
    if (cut) cut = supply_.cut(request.front, request.bytes, request.origin.pool);
    return books_.take(request.front, request.bytes, request.origin.pool);
  };
  if (const auto at = look()) return at;
  const Books::NoLoans no_loans(books_);
  if (books_.take_all_loans_back())
    if (const auto at = look()) return at;
  const auto refused = refusal(request);
  const auto served = [&]() -> Result<driver::Address> {
    if (request.origin.host())
      if (const auto at = wait_rather_than_grow(request)) return at;
    auto got = attempt(request, Supply::Room::ample);
    return got ? got : ladder(request, got.error());
  }();
  count_refusal(refused, request, served.has_value());
  if (!served && !cut) return fail(cut.error());
  return served;
}

Result<driver::Address> DevicePool::attempt(Request& request, Supply::Room room) {
  auto& front = request.front;
  const auto bytes = request.bytes;
  const auto pool = request.origin.pool;
  const Growing growing(supply_.mutex());
  // What another thread has left while this one waited for its turn.
  if (const auto at = books_.take(front, bytes, pool)) return at;
  bool asked = !takes_completed(request);
  const auto harvest = [&] {
    if (asked) return false;
    asked = true;
    const auto awaited = books_.awaited_by(request.front, request.bytes, true);
    return follower_.harvest(Stake::growth, request.since, &awaited);
  };
  const Bytes before = supply_.physical();
  auto served = supply_.serve(front, bytes, pool, room, harvest);
  if (served && *served == 0) {
    if (const auto at = books_.take(front, bytes, pool)) return at;
    served = supply_.serve(front, bytes, pool, room, harvest);
  }
  const Bytes created = supply_.physical() - before;
  request.created += created;
  if (created != 0 && last_release_.load(std::memory_order_relaxed) != 0) note_growth();
  return served;
}

// A cudaMalloc behind a cudaFree natively waits for the GPU. Ours does so only where the pool would
// otherwise grow well past what the program has ever held at once; gives the memory if that was
// enough.
driver::Address DevicePool::wait_rather_than_grow(Request& request) {
  const auto bytes = request.bytes;
  const auto share = static_cast<Bytes>(static_cast<double>(supply_.device_memory()) *
                                        config_.streams_pending_share);
  const Bytes limit = std::min(config_.streams_pending_bytes, share);
  for (bool asked = false;; asked = true) {
    {
      const Books::Opened books(books_.mutex());
      const auto& c = books_.counters();
      const auto most = static_cast<double>(std::max(c.peak_live_bytes, c.live_bytes + bytes)) *
                        (1 + config_.stitch_growth_slack);
      if (c.physical_bytes + bytes <= static_cast<Bytes>(most) + limit) return 0;
    }
    if (!asked)
      follower_.harvest_all();
    else if (follower_.wait_for_host_frees())
      ++request.host_waits;
    else
      return 0;
    if (const auto at = books_.take(request.front, bytes)) return at;
  }
}

// Addresses, page tables or mappings have run out, which stitched ranges hold: some of those go.
// The last work of one is waited for only if none can go at once.
bool DevicePool::evict_or_wait() {
  for (;;) {
    {
      const Growing growing(supply_.mutex());
      if (supply_.evict_some()) return true;
      if (!supply_.has_idle_window()) return false;
    }
    if (!follower_.wait_for_frees()) return false;
  }
}

// The rungs, cheapest first.
Result<driver::Address> DevicePool::ladder(Request& request, Error error) {
  auto room = Supply::Room::frugal;
  Error reported = error;  // the driver's first, if it gave any
  auto again = [&](Rung rung) -> Result<driver::Address> {
    count_rung(rung);
    auto served = attempt(request, room);
    if (!served) error = served.error();
    if (!served && reported.kind == ErrorKind::limit) reported = error;
    return served;
  };
  const Books::Everywhere everywhere(books_);
  const auto lacks_mappings = [&] { return error.kind == ErrorKind::mappings; };

  follower_.wait_for_others();
  books_.unpark_all();
  follower_.harvest_all();
  auto served = again(&stats::DeviceCounters::ladder_harvests);
  while (!served && lacks_mappings() && evict_or_wait())
    served = again(&stats::DeviceCounters::ladder_evictions);
  const bool may_insert = !request.origin.host() && config_.streams_insert_waits &&
                          books_.accounts().at(request.origin.pool).inserts_waits;
  while (!served && may_insert && follower_.insert_wait(request.bytes, request.origin)) {
    ++request.stream_waits;
    request.front.made_to_wait.store(true, std::memory_order_relaxed);
    served = again(&stats::DeviceCounters::ladder_inserted_waits);
  }
  for (bool said = false; !served && !said;) {
    if (follower_.wait_for_frees()) {
      ++request.host_waits;
      served = again(&stats::DeviceCounters::ladder_waits);
    } else {  // nothing, or another thread has just seen it to be over
      follower_.wait_for_others();
      said = true;
      served = again(&stats::DeviceCounters::ladder_harvests);
    }
  }
  if (!served) {
    bool changed = false;
    {
      const Growing growing(supply_.mutex());
      changed = supply_.change_shape(request.bytes);
    }
    if (changed) served = again(&stats::DeviceCounters::ladder_trims);
  }
  if (!served && supply_.has_head_room()) {
    room = Supply::Room::head;
    served = again(&stats::DeviceCounters::ladder_head_rooms);
    while (!served && lacks_mappings() && evict_or_wait())
      served = again(&stats::DeviceCounters::ladder_evictions);
  }
  if (served) return served;
  count_rung(&stats::DeviceCounters::out_of_memory);
  return fail(reported);
}

void DevicePool::keep_windows_in_bounds() {
  {
    const Growing growing(supply_.mutex());
    if (!supply_.windows_exceed()) return;
  }
  follower_.harvest(Stake::place, stream::Fences::Clock::now());
  const Growing growing(supply_.mutex());
  supply_.keep_windows_in_bounds();
}

bool DevicePool::free(driver::Address at, const Origin& by) {
  if (by.host() && config_.streams_free == config::FreePolicy::synchronous)
    return free_synchronously(at, by);
  const Follower::Freeing freeing(follower_, by.host() && !config_.streams_single_stream);
  Front* front = books_.free(at, by);
  if (front) follower_.freed(*front, by);
  return front != nullptr;
}

// As natively: the call returns when the work is done, and at once for memory of a stream. The
// block is nobody's meanwhile, so the wait needs no lock.
bool DevicePool::free_synchronously(driver::Address at, const Origin& by) {
  const auto moment = follower_.moment();
  Front* owner = nullptr;
  memory::Region* block = books_.seize(at, owner);
  if (!block) return false;
  auto& front = books_.host_front_of(*owner, by);
  auto* const context = front.context.load(std::memory_order_relaxed);
  const bool in_use = owner->host || Books::is_used_beside(front, block);
  if (in_use && follower_.wait_for_context(context, moment))
    return books_.settle(front, block), true;
  const Follower::Freeing freeing(follower_, true);
  books_.park(front, block);
  follower_.freed(front, {});
  return true;
}

// cudaMalloc beside cudaFree in a context that has its legacy default stream only
// (streams.single_stream): both are in that stream's order, as a stream's own requests and frees
// are in its. The front can be found by now: whoever says that there is another stream either finds
// it, or has said so before it is asked here.
void DevicePool::begin_one_stream(Front& front) {
  const bool only = device_.only_legacy_stream(front.context.load(std::memory_order_relaxed));
  const Lock own(front.lock);
  const Books::Opened books(books_.mutex());
  if (front.one_stream.load(std::memory_order_relaxed) == OneStream::not_known)
    front.one_stream.store(only ? OneStream::so_far : OneStream::over, std::memory_order_relaxed);
}

// Work of the one stream may still be pending on bytes that have been given out since, and nothing
// orders another stream behind it: so the host waits for the context before the other stream can be
// given any work.
bool DevicePool::end_one_stream(driver::Context context) {
  bool any = false;
  for (Front* front : books_.fronts([&](const Front& one) {
         return one.host && (!context || one.context.load(std::memory_order_relaxed) == context);
       })) {
    stream::Point freed;
    const auto moment = follower_.moment();
    {
      // No miss is between its choice of memory and giving it out.
      const Growing growing(supply_.mutex());
      const Lock own(front->lock);
      const Books::Opened books(books_.mutex());
      front->one_stream.store(OneStream::over, std::memory_order_relaxed);
      if (!front->has_taken_back || GMLAKE_FAULT(one_stream_unawaited)) continue;
      books_.unpark(*front);
      freed = {front->timeline, books_.timelines().cut(front->timeline)};
    }
    // Without locks: whoever else comes waits too.
    if (!follower_.wait_for_context(front->context.load(std::memory_order_relaxed), moment))
      continue;  // it is beyond work
    const Lock own(front->lock);
    const Books::Opened books(books_.mutex());
    front->has_taken_back = false;
    ++books_.counters().fence_waits;
    books_.advance(freed);
    any = true;
  }
  return any;
}

void DevicePool::forget_context(driver::Context context, bool takes_blocks) {
  const Growing growing(supply_.mutex());
  books_.forget_context(context, takes_blocks);
  follower_.forget_context(context);
}

Status DevicePool::open_to(int device, const BlockView& block) {
  if (supply_.reaches(device, block.mapped_start, block.mapped_size)) return {};
  if (supply_.refuses(device)) return fail(ErrorKind::unsupported, "the devices are no peers");
  const Growing growing(supply_.mutex());
  return supply_.open_to(device, block.mapped_start, block.mapped_size);
}

Bytes DevicePool::trim(Bytes keep, Bytes part) {
  const Books::NoLoans no_loans(books_);
  books_.unpark_all();
  follower_.harvest_all();
  const Growing growing(supply_.mutex());
  const Bytes physical = supply_.physical();
  return supply_.give_back(std::max(keep, physical - std::min(physical, part)), 0);
}

Bytes DevicePool::trim_for_others() {
  const Books::NoLoans no_loans(books_);
  Bytes bytes = trim(0);
  while (bytes == 0 && follower_.wait_for_frees()) {
    const Growing growing(supply_.mutex());
    bytes = supply_.give_back(0, 0);
  }
  if (bytes != 0) count_rung(&stats::DeviceCounters::native_retries);
  return bytes;
}

bool DevicePool::claim_beside(Bytes bytes) {
  for (;;) {
    Bytes lack = 0;
    Bytes have = 0;
    {
      const Growing growing(supply_.mutex());
      // How much memory the device has is not known before, and then there is nothing to give back.
      if (supply_.is_limited()) (void)supply_.open();
      lack = supply_.claim_beside(bytes);
      have = supply_.physical();
    }
    if (lack == 0) return true;
    if (lack > have || (trim(have - lack) == 0 && !follower_.wait_for_frees())) return false;
  }
}

void DevicePool::unclaim_beside(Bytes bytes) {
  const Books::Opened books(books_.mutex());
  books_.unclaim(bytes);
}

void DevicePool::leave_beside(stats::Gauge what, Bytes bytes) {
  const Books::Opened books(books_.mutex());
  books_.remove_beside(what, bytes);
}

void DevicePool::note_beside(stats::Gauge what, Bytes bytes) {
  const Books::Opened books(books_.mutex());
  books_.add_beside(what, bytes);
}

Bytes DevicePool::limit_left() {
  if (!supply_.is_limited()) return ~Bytes{0};
  {
    const Growing growing(supply_.mutex());
    if (!supply_.open()) return ~Bytes{0};
  }
  return supply_.growth_limit() + reusable_bytes();
}

void DevicePool::limit(Bytes most) {
  supply_.set_max_bytes(most);
  if (most != 0) (void)trim(most);
}

void DevicePool::release_surplus() {
  {
    const Books::Opened books(books_.mutex());
    if (books_.placement().physical() <= config_.pool_release_threshold) return;
  }
  (void)trim(config_.pool_release_threshold);
}

stats::DeviceReport DevicePool::report() const {
  stats::DeviceReport report;
  report.device = ordinal_;
  device_.count(report.driver);
  books_.copy_for_report(report);
  return report;
}

void DevicePool::check() const {
  const Books::Opened books(books_.mutex());
  if (const auto wrong = books_.placement().problem()) {
    std::fprintf(stderr, "gmlake: the pool is inconsistent: %s\n", wrong->c_str());
    std::abort();
  }
}

}  // namespace gmlake::pool
