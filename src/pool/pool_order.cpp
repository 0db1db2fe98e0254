// What the pool does with events: following batches of frees, learning what has completed, and
// unmapping windows only after the last work that used them. The growth lock is held throughout.
#include <algorithm>
#include <vector>

#include "pool/device_pool.h"
#include "support/fault.h"

namespace gmlake::pool {

using Stake = stream::Fences::Stake;

namespace {

constexpr auto kNothing = ~std::uint64_t{0};

}  // namespace

// By timeline, the first point found whose passing would give the front memory that a request of
// `size` could use and that it may not have yet: what the program's own order leaves to ask for.
// With `any` not the first, but soon found. O(t) for t timelines, with a bounded look at each.
DevicePool::Awaited DevicePool::awaited_by(const Front& front, Bytes size, bool any) const {
  const std::lock_guard lock(mutex_);
  Awaited least(timelines_.size(), kNothing);
  placement_.each_awaited(size, order_of(front), [&](memory::Fence fence) {
    auto& value = least[fence.timeline];
    value = std::min(value, fence.value);
    return !any;
  });
  return least;
}

bool DevicePool::named(const Awaited& awaited, stream::Timeline timeline) {
  return timeline < awaited.size() && awaited[timeline] != kNothing;
}

// Whether the timeline's events are to be recorded and asked: those that are named, and of streams
// that have ended, so that others can go on in their place; all without names.
bool DevicePool::followed(const Awaited* awaited, stream::Timeline timeline) const {
  return !awaited || named(*awaited, timeline) || timelines_.ended(timeline);
}

// Ends the open batch, and says what comes before the event that will follow it.
std::pair<stream::Batch, stream::Snapshot> DevicePool::close(stream::Timeline timeline) {
  std::pair<stream::Batch, stream::Snapshot> closed;
  closed.first = timelines_.close(timeline);
  auto& before = closed.second;
  clocks_.append(timeline, closed.first.value, timelines_.all_passed(), before);
  return closed;
}

// Records the event.
void DevicePool::record(stream::Batch batch, stream::Snapshot before, stream::Fences::Time now) {
  const bool recorded = fences_.record(batch, std::move(before), now).has_value();
  const std::lock_guard lock(mutex_);
  if (recorded)
    ++counters_.fences;
  else
    timelines_.not_recorded(batch);
}

// Records an event for the open batches of frees and asks the pending events: of the timelines that
// `awaited` names, without it of all, and as far as it is time for that. Says whether any work was
// found to be over. Where only a better place is at stake, events are not recorded any more often
// than they are asked.
bool DevicePool::harvest(Stake stake, stream::Fences::Time now, const Awaited* awaited) {
  std::vector<std::pair<stream::Batch, stream::Snapshot>> batches;
  {
    const std::lock_guard lock(mutex_);
    for (stream::Timeline t = 0; t < timelines_.size(); ++t)
      if (timelines_.open_has_frees(t) && followed(awaited, t) &&
          (stake != Stake::place || fences_.due(t, now, stake)))
        batches.push_back(close(t));
  }
  for (auto& [batch, before] : batches) record(batch, std::move(before), now);

  const auto known = [&] {
    const std::lock_guard lock(mutex_);
    return timelines_.all_passed();
  }();
  const auto which = [&](stream::Timeline timeline) {
    const std::lock_guard lock(mutex_);
    return followed(awaited, timeline);
  };
  const auto answers = fences_.ask(which, known, now, stake);
  const std::lock_guard lock(mutex_);
  counters_.fence_queries += answers.questions;
  for (const auto& point : answers.passed) passed(point.timeline, point.value);
  return !answers.passed.empty();
}

bool DevicePool::harvest_before_growth(const Front& front, Bytes bytes) {
  if (!config_.streams_reuse_completed) return false;
  const auto awaited = awaited_by(front, bytes, true);
  return harvest(Stake::growth, missed_at_, &awaited);
}

void DevicePool::waited(const stream::Point& point) {
  const std::lock_guard lock(mutex_);
  ++counters_.fence_waits;
  passed(point.timeline, point.value);
}

void DevicePool::passed(stream::Timeline timeline, std::uint64_t value) {
  if (value <= timelines_.all_passed()[timeline]) return;
  timelines_.passed(timeline, value);
  if (fronts_.of(timeline).apart) placement_.settle(timeline, value);
}

// A cudaMalloc behind a cudaFree natively waits for the GPU. Ours does so only where the pool would
// otherwise grow well past what the program has ever held at once; gives the memory if that was
// enough.
driver::Address DevicePool::wait_rather_than_grow(Bytes bytes, const Origin& origin) {
  const auto share = static_cast<Bytes>(static_cast<double>(mappings_.device_memory()) *
                                        config_.streams_pending_share);
  const Bytes limit = std::min(config_.streams_pending_bytes, share);
  for (bool asked = false;; asked = true) {
    {
      const std::lock_guard lock(mutex_);
      const auto& c = counters_;
      const auto most = static_cast<double>(std::max(c.peak_live_bytes, c.live_bytes + bytes)) *
                        (1 + config_.stitch_growth_slack);
      if (c.physical_bytes + bytes <= static_cast<Bytes>(most) + limit) return 0;
    }
    if (!asked) {
      harvest_all();
    } else {
      const auto happened =
          fences_.wait_oldest([&](stream::Timeline timeline) { return of_context(timeline); });
      if (!happened) return 0;
      waited(*happened);
    }
    if (const auto at = try_allocate(bytes, origin)) return at;
  }
}

bool DevicePool::of_context(stream::Timeline timeline) const {
  const std::lock_guard lock(mutex_);
  return timelines_.is_context(timeline);
}

// Makes the asking stream's later work wait for the oldest pending work elsewhere behind which
// there is free memory. The event was recorded before, so that streams can not come to wait for
// each other. False when there is none.
bool DevicePool::insert_wait(Bytes bytes, const Origin& origin) {
  auto& asking = front_of(origin);
  const auto least = awaited_by(asking, bytes, false);
  const auto point = fences_.make_wait(origin.context, origin.stream,
                                       [&](stream::Timeline timeline, std::uint64_t value) {
                                         return named(least, timeline) && least[timeline] <= value;
                                       });
  if (!point) return false;
  const std::lock_guard lock(mutex_);
  comes_after(asking, {*point});
  return true;
}

// Waits until some freed memory is known to be reusable. False when there is nothing left to wait
// for.
bool DevicePool::wait_for_frees() {
  if (const auto happened = fences_.wait_oldest([](stream::Timeline) { return true; })) {
    waited(*happened);
    return true;
  }

  // Frees that could not be followed by an event (no cuCtxRecordEvent, say): wait for their whole
  // context.
  stream::Batch batch;
  {
    const std::lock_guard lock(mutex_);
    stream::Timeline open = 0;
    while (open < timelines_.size() && !timelines_.open_has_frees(open)) ++open;
    if (open == timelines_.size()) return false;
    batch = timelines_.close(open);
  }
  if (device_.wait_context(batch.follow.context)) {
    waited({batch.timeline, batch.value});
    return true;
  }
  const std::lock_guard lock(mutex_);
  timelines_.not_recorded(batch);
  return false;
}

void DevicePool::stream_ends(const Origin& origin) {
  const std::lock_guard growing(growth_);
  flush_fronts();
  std::optional<std::pair<stream::Batch, stream::Snapshot>> closed;
  {
    const std::lock_guard lock(mutex_);
    if (origin.stream_id == 0) timelines_.ending_handle(origin.stream);
    if (!timelines_.known_stream(origin.stream_id)) return;
    const auto timeline =
        timelines_.of_stream(origin.stream_id, origin.stream, origin.context, origin.thread_bound);
    if (timelines_.open_has_frees(timeline) && !origin.capture_under_way && !origin.thread_bound)
      closed = close(timeline);
    timelines_.ending(origin.stream_id);
  }
  if (closed) record(closed->first, std::move(closed->second), stream::Fences::Clock::now());
}

void DevicePool::stream_ended(const Origin& origin, bool gone) {
  const std::lock_guard lock(mutex_);
  if (origin.stream_id == 0)
    gone ? timelines_.retire_handle(origin.stream) : timelines_.handle_not_ended(origin.stream);
  if (!timelines_.known_stream(origin.stream_id)) return;
  if (!gone) return timelines_.not_ended(origin.stream_id);
  const auto timeline =
      timelines_.of_stream(origin.stream_id, origin.stream, origin.context, origin.thread_bound);
  timelines_.retire_stream(origin.stream_id);
  clocks_.drop(timeline);
  fronts_.of(timeline).clock = nullptr;
}

bool DevicePool::passed(const memory::Window& window) const {
  return window.last_use.value <= timelines_.all_passed()[window.last_use.timeline] ||
         GMLAKE_FAULT(window_at_work);
}

bool DevicePool::evict_window(memory::Window* window) {
  // Still in the index here, but idle; taken out before the unmap so that nobody is given it
  // meanwhile.
  const auto at = window->mapped_start;
  const auto size = window->mapped_size;
  {
    const std::lock_guard lock(mutex_);
    if (window->busy || !passed(*window)) return false;
    placement_.windows().forget(window);
    --counters_.windows;
    counters_.window_bytes -= size;
    ++counters_.windows_evicted;
  }
  return mappings_.unmap(at, size).has_value();
}

// Evicts a share of the windows, oldest first; waits for the last work of one only if none can go
// at once.
bool DevicePool::evict_some() {
  for (;;) {
    bool any = false;
    std::size_t share = 0;
    {
      const std::lock_guard lock(mutex_);
      share = counters_.windows / 8 + 1;
    }
    for (; share != 0; --share) {
      memory::Window* oldest = nullptr;
      {
        const std::lock_guard lock(mutex_);
        oldest =
            placement_.windows().oldest([&](const memory::Window& idle) { return passed(idle); });
      }
      if (!oldest || !evict_window(oldest)) break;
      any = true;
    }
    if (any) return true;
    {
      const std::lock_guard lock(mutex_);
      if (!placement_.windows().oldest([](const memory::Window&) { return true; })) return false;
    }
    if (!wait_for_frees()) return false;
  }
}

Bytes DevicePool::trim(Bytes keep, const Origin& origin) {
  const std::lock_guard growing(growth_);
  // Nothing may be unmapped while a capture could be invalidated by it.
  if (origin.capture_under_way) return 0;
  flush_fronts();
  harvest_all();
  return give_back(keep, 0);
}

Bytes DevicePool::trim_for_others(const Origin& origin) {
  const std::lock_guard growing(growth_);
  if (origin.capture_under_way) return 0;
  flush_fronts();
  harvest_all();
  Bytes bytes = give_back(0, 0);
  while (bytes == 0 && wait_for_frees()) bytes = give_back(0, 0);
  if (bytes != 0) count([](stats::DeviceCounters& counters) { ++counters.native_retries; });
  return bytes;
}

void DevicePool::release_surplus(const Origin& origin) {
  {
    const std::lock_guard lock(mutex_);
    if (placement_.physical() <= config_.pool_release_threshold) return;
  }
  (void)trim(config_.pool_release_threshold, origin);
}

// Nothing unless at least `least` bytes can go. What was freed has been followed and polled.
Bytes DevicePool::give_back(Bytes keep, Bytes least) {
  memory::Trim trim;
  {
    const std::lock_guard lock(mutex_);
    const Bytes physical = placement_.physical();
    if (physical <= keep) return 0;
    trim = placement_.begin_trim(
        physical - keep,
        {0, GMLAKE_FAULT(trim_at_work) ? 1 : memory::kNoTimeline, &timelines_.all_passed()});
    Bytes found = 0;
    for (const auto* handle : trim.handles) found += handle->size;
    if (found < least || found == 0) return placement_.finish_trim(std::move(trim), 0), 0;
  }
  // Memory is given back only once no mapping shows it: a window that stays keeps all of it.
  bool unmapped = true;
  for (auto* window : trim.windows) unmapped = evict_window(window) && unmapped;
  std::size_t released = 0;
  Bytes bytes = 0;
  for (; unmapped && released < trim.handles.size(); ++released) {
    const auto* handle = trim.handles[released];
    if (!mappings_.shrink(handle->start)) break;
    bytes += handle->size;
  }
  const std::lock_guard lock(mutex_);
  placement_.finish_trim(std::move(trim), released);
  counters_.physical_bytes = placement_.physical();
  counters_.trims += bytes != 0 ? 1 : 0;
  counters_.trimmed_bytes += bytes;
  return bytes;
}

void DevicePool::keep_windows_in_bounds() {
  auto oldest = [&](auto may_go) -> memory::Window* {
    const std::lock_guard lock(mutex_);
    if (counters_.windows <= config_.stitch_max_windows &&
        counters_.window_bytes <= config_.stitch_max_window_bytes)
      return nullptr;
    return placement_.windows().oldest(may_go);
  };
  auto any = [](const memory::Window&) { return true; };
  if (!oldest(any)) return;
  const Awaited all = [&] {
    const std::lock_guard lock(mutex_);
    return Awaited(timelines_.size(), 0);
  }();
  harvest(Stake::place, stream::Fences::Clock::now(), &all);
  while (auto* window = oldest([&](const memory::Window& idle) { return passed(idle); }))
    if (!evict_window(window)) return;
}

}  // namespace gmlake::pool
