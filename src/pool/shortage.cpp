// What the pool says when memory has run out: one paragraph for people, the whole picture as JSON
// for programs. docs/statistics.md describes it.
#include <algorithm>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "pool/device_pool.h"

namespace gmlake::pool {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSnapshotVersion = 1;

const char* word(memory::State state) {
  switch (state) {
    case memory::State::absent:
      return "absent";
    case memory::State::free:
      return "free";
    case memory::State::held:
      return "held";
    case memory::State::live:
    case memory::State::piece:
      return "live";
    case memory::State::parked:
      return "parked";
  }
  return "";
}

// A region as it was while the lock was held; everything slow comes afterwards.
struct Seen {
  Bytes start, size;
  memory::State state;
  bool small;
  memory::Fence fence;
  Bytes address, requested, whole;
  std::int64_t window;
};

}  // namespace

Shortage DevicePool::shortage(Bytes wanted) const {
  Shortage s;
  s.wanted = wanted;
  if (const auto info = device_.memory_info()) s.device_free = info->free;
  s.limit_left = supply_.growth_limit();
  {
    const Books::Opened books(books_.mutex());
    const auto& placement = books_.placement();
    const auto& passed = books_.timelines().all_passed();
    s.live = books_.counters().live_bytes;
    s.physical = placement.physical();
    s.free = placement.free_bytes();
    s.largest_span = placement.largest_span();
    s.pending.resize(passed.size());
    placement.each_free([&](const memory::Region& region) {
      const auto fence = region.fence();
      if (fence.value > passed[fence.timeline]) s.pending[fence.timeline] += region.size;
    });
  }
  const Bytes can_grow = std::min(s.limit_left, s.device_free);
  s.missing = wanted - std::min(wanted, s.free + can_grow);
  return s;
}

std::string DevicePool::explain(const Shortage& s) const {
  std::string pending;
  for (std::size_t t = 0; t < s.pending.size(); ++t)
    if (s.pending[t] != 0)
      pending += fmt::format("{}{} on timeline {}", pending.empty() ? "" : ", ",
                             human_bytes(s.pending[t]), t);
  std::string help;
  if (s.limit_left < s.device_free && s.limit_left < s.wanted)
    help = "pool.max_bytes or pool.max_share keeps the pool from growing: raise it";
  else if (s.missing != 0)
    help = "the program needs a larger device, or a smaller batch";
  else if (!config_.stitch_enabled)
    help = "enough is free, but in pieces: set stitch.enabled=true";
  else if (!pending.empty())
    help = "enough is free once the GPU's work is done: synchronise before this allocation";
  else
    help =
        "enough is free, but in too many pieces: raise stitch.max_pieces, lower "
        "stitch.min_request, or set a smaller pool.largest_chunk";
  return fmt::format(
      "out of memory on device {}: {} were asked for, with {} live, {} physical of which {} are "
      "free (largest span {}; waiting for work of the GPU: {}), and {} free on the device itself; "
      "{} missing. What may help: {}.",
      ordinal_, human_bytes(s.wanted), human_bytes(s.live), human_bytes(s.physical),
      human_bytes(s.free), human_bytes(s.largest_span), pending.empty() ? "none" : pending,
      human_bytes(s.device_free), s.missing == 0 ? std::string("none") : human_bytes(s.missing),
      help);
}

std::string DevicePool::snapshot(const Shortage& s) const {
  std::vector<Seen> seen;
  std::vector<const memory::Window*> windows;
  Json shown = Json::array(), timelines = Json::array(), counters = Json::object();
  std::vector<std::uint64_t> passed_values;
  {
    const Books::Opened books(books_.mutex());
    const auto& placement = books_.placement();
    const auto& known = books_.timelines();
    passed_values = known.all_passed();
    placement.each_window([&](const memory::Window& window) {
      windows.push_back(&window);
      Json pieces = Json::array();
      for (const auto& piece : window.pieces)
        pieces.push_back({{"start", piece.start}, {"size", piece.size}});
      shown.push_back({{"address", window.address},
                       {"size", window.size},
                       {"busy", window.busy},
                       {"pieces", std::move(pieces)}});
    });
    for (const auto* region = placement.home().first(); region; region = region->after) {
      Seen one{};
      one.start = region->start;
      one.size = region->size;
      one.state = region->state.load(std::memory_order_relaxed);
      one.small = region->small;
      one.window = -1;
      if (one.state == memory::State::free) one.fence = region->fence();
      if (one.state == memory::State::live && region->live.address != 0) {
        const auto* window = region->live.window;
        one.address = region->live.address;
        one.whole = window ? window->size : region->size;
        one.requested =
            one.whole - std::atomic_ref(region->live.slack).load(std::memory_order_relaxed);
        if (window)
          one.window = std::find(windows.begin(), windows.end(), window) - windows.begin();
      }
      seen.push_back(one);
    }
    for (stream::Timeline t = 0; t < known.size(); ++t)
      timelines.push_back({{"timeline", t},
                           {"kind", known.is_context(t) ? "context" : "stream"},
                           {"passed", passed_values[t]}});
    const auto all = books_.all_counters();
#define X(name, kind, unit, help) counters[#name] = all.name;
    GMLAKE_COUNTERS(X)
#undef X
  }
  for (std::size_t t = 0; t < timelines.size(); ++t)
    timelines[t]["pending_bytes"] = t < s.pending.size() ? s.pending[t] : 0;
  Json regions = Json::array(), blocks = Json::array();
  for (const auto& one : seen) {
    Json region = {{"start", one.start},
                   {"size", one.size},
                   {"state", word(one.state)},
                   {"heap", one.small ? "small" : "large"}};
    if (one.state == memory::State::free)
      region["fence"] = {{"timeline", one.fence.timeline},
                         {"value", one.fence.value},
                         {"passed", one.fence.value <= passed_values[one.fence.timeline]}};
    regions.push_back(std::move(region));
    if (one.whole == 0) continue;
    Json block = {{"address", one.address}, {"requested", one.requested}, {"size", one.whole}};
    if (one.window >= 0) block["window"] = one.window;
    blocks.push_back(std::move(block));
  }
  const Json json = {{"format", "gmlake-out-of-memory"},
                     {"version", kSnapshotVersion},
                     {"device", ordinal_},
                     {"explanation", explain(s)},
                     {"request", {{"bytes", s.wanted}, {"missing", s.missing}}},
                     {"memory",
                      {{"live", s.live},
                       {"physical", s.physical},
                       {"free", s.free},
                       {"largest_span", s.largest_span},
                       {"limit_left", s.limit_left},
                       {"device_free", s.device_free}}},
                     {"timelines", std::move(timelines)},
                     {"regions", std::move(regions)},
                     {"windows", std::move(shown)},
                     {"blocks", std::move(blocks)},
                     {"counters", std::move(counters)}};
  return json.dump(1) + "\n";
}

std::string DevicePool::picture() const {
  const Books::Opened books(books_.mutex());
  const auto& c = books_.counters();
  const auto& placement = books_.placement();
  const auto& passed = books_.timelines().all_passed();
  Bytes waiting = 0;
  placement.each_free([&](const memory::Region& region) {
    const auto fence = region.fence();
    if (fence.value > passed[fence.timeline]) waiting += region.size;
  });
  return fmt::format(
      "device {}: {} live in {} blocks, {} physical in chunks of {} and more, {} free ({} of it "
      "freed on a "
      "stream or context "
      "whose work is not known to be complete), largest free span {}, {} stitched ranges",
      ordinal_, human_bytes(c.live_bytes), c.live_blocks, human_bytes(c.physical_bytes),
      human_bytes(placement.granule()), human_bytes(placement.free_bytes()), human_bytes(waiting),
      human_bytes(placement.largest_span()), c.windows);
}

}  // namespace gmlake::pool
