// What the pool says when memory has run out: figures for the few lines that people get
// (pool/shortage.h), the whole picture as JSON for programs. docs/statistics.md describes it.
//
// There may be a million regions, and other threads' hits go on: the walk over them holds the
// pool's lock for some of them at a time, copies those, and remembers no more than how far it came.
#include <algorithm>
#include <thread>
#include <unordered_map>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "pool/device_pool.h"
#include "support/json_writer.h"

namespace gmlake::pool {
namespace {

constexpr int kSnapshotVersion = 1;
// How much is looked at under the lock: a few microseconds' worth.
constexpr std::size_t kSome = 128;
constexpr std::size_t kMostPending = 3;

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
    case memory::State::lent:
      return "lent";
  }
  return "";
}

}  // namespace

// Each as it was while the lock was held.
struct DevicePool::SeenRegion {
  Bytes start, size;
  memory::State state;
  bool small;
  memory::Fence fence;  // of a free one
  bool passed;
  Bytes address, requested, whole;  // of the block that starts here; 0: none
};
struct DevicePool::SeenWindow {
  Bytes address, size;
  bool busy;
  std::vector<memory::Piece> pieces;
};
struct DevicePool::SeenTimeline {
  std::uint64_t passed;
  bool of_context;
};

bool DevicePool::look(Bytes& at, std::vector<SeenRegion>& some) const {
  const Books::Opened books(books_.mutex());
  const auto& passed = books_.timelines().all_passed();
  return books_.placement().home().visit_some(at, kSome, [&](memory::Region& region) {
    SeenRegion one{};
    one.start = std::max(region.start, at);  // it may have grown into what has been seen already
    one.size = region.end() - one.start;
    one.state = region.state.load(std::memory_order_relaxed);
    one.small = region.small;
    if (one.state == memory::State::free) {
      one.fence = region.fence();
      one.passed = one.fence.value <= passed[one.fence.timeline];
    }
    if (one.state == memory::State::live && region.live.address != 0) {
      const auto* window = region.live.window;
      one.address = region.live.address;
      one.whole = window ? window->size : region.size;
      one.requested = one.whole - region.live.unused();
    }
    some.push_back(one);
  });
}

bool DevicePool::look(std::size_t& at, std::vector<SeenWindow>& some) const {
  const Books& seen = books_;
  const Books::Opened books(seen.mutex());
  return seen.placement().windows().visit_some(at, kSome, [&](const memory::Window& window) {
    some.push_back({window.address, window.size, window.busy, window.pieces});
  });
}

bool DevicePool::look(std::size_t& at, std::vector<SeenTimeline>& some) const {
  const Books::Opened books(books_.mutex());
  const auto& timelines = books_.timelines();
  const auto& passed = timelines.all_passed();
  for (const auto end = std::min<std::size_t>(timelines.size(), at + kSome); at < end; ++at)
    some.push_back({passed[at], timelines.is_context(static_cast<stream::Timeline>(at))});
  return at < timelines.size();
}

template <typename Seen, typename At, typename Visit>
void DevicePool::walk(Visit visit) const {
  std::vector<Seen> some;
  some.reserve(kSome);  // not under the lock
  At at = 0;
  for (bool more = true; more;) {
    some.clear();
    more = look(at, some);
    for (const auto& one : some) visit(one);
    std::this_thread::yield();  // who waits for the lock has it first
  }
}

std::string DevicePool::picture() const {
  Bytes waiting = 0;
  walk<SeenRegion, Bytes>([&](const SeenRegion& region) {
    if (region.state == memory::State::free && !region.passed) waiting += region.size;
  });
  const Books::Opened books(books_.mutex());
  const auto c = books_.all_counters();
  const auto& placement = books_.placement();
  return fmt::format(
      "device {}: {} live in {} blocks, {} physical in chunks of {} and more, {} free ({} of it "
      "freed on a "
      "stream or context "
      "whose work is not known to be complete), largest free span {}, {} stitched ranges",
      ordinal_, human_bytes(c.live_bytes), c.live_blocks, human_bytes(c.physical_bytes),
      human_bytes(placement.granule()), human_bytes(placement.free_bytes()), human_bytes(waiting),
      human_bytes(placement.largest_span()), c.windows);
}

Shortage DevicePool::shortage(Bytes wanted) {
  (void)books_.take_all_loans_back();  // what is in them is seen as any other
  Shortage s;
  s.wanted = wanted;
  if (const auto info = device_.memory_info()) s.device_free = info->free;
  std::size_t timelines = 0;
  {
    const Books::Opened books(books_.mutex());
    const auto& placement = books_.placement();
    s.live = books_.all_counters().live_bytes;
    s.physical = placement.physical();
    s.free = placement.free_bytes();
    s.largest_span = placement.largest_span();
    s.beside = books_.beside();
    s.home = books_.home();
    timelines = books_.timelines().size();
  }
  s.limit_left = supply_.growth_limit();
  s.device_memory = supply_.device_memory();
  s.pending.resize(timelines);
  walk<SeenRegion, Bytes>([&](const SeenRegion& region) {
    if (region.state != memory::State::free || region.passed) return;
    const auto timeline = region.fence.timeline;
    if (timeline >= s.pending.size()) s.pending.resize(timeline + std::size_t{1});
    s.pending[timeline] += region.size;
  });
  {
    const Books::Opened books(books_.mutex());
    for (stream::Timeline t = 0; t < s.pending.size(); ++t)
      if (s.pending[t] != 0) s.most_pending.push_back({name_of(books_.front_at(t)), s.pending[t]});
  }
  std::sort(s.most_pending.begin(), s.most_pending.end(),
            [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  s.most_pending.resize(std::min(s.most_pending.size(), kMostPending));
  const Bytes can_grow = std::min(s.limit_left, s.device_free);
  s.missing = wanted - std::min(wanted, s.free + can_grow);
  return s;
}

// "regions", "windows" and "blocks".
void DevicePool::add_regions(JsonWriter& json) const {
  std::vector<SeenRegion> blocks;
  json.array("regions", [&] {
    walk<SeenRegion, Bytes>([&](const SeenRegion& one) {
      json.object([&] {
        json.member("start", one.start);
        json.member("size", one.size);
        json.member("state", word(one.state));
        json.member("heap", one.small ? "small" : "large");
        if (one.state == memory::State::free)
          json.object("fence", [&] {
            json.member("timeline", one.fence.timeline);
            json.member("value", one.fence.value);
            json.member("passed", one.passed);
          });
      });
      if (one.whole != 0) blocks.push_back(one);
    });
  });
  std::unordered_map<Bytes, std::size_t> by_address;
  json.array("windows", [&] {
    walk<SeenWindow, std::size_t>([&](const SeenWindow& window) {
      json.object([&] {
        by_address.emplace(window.address, by_address.size());
        json.member("address", window.address);
        json.member("size", window.size);
        json.member("busy", window.busy);
        json.array("pieces", [&] {
          for (const auto& piece : window.pieces)
            json.object([&] {
              json.member("start", piece.start);
              json.member("size", piece.size);
            });
        });
      });
    });
  });
  json.array("blocks", [&] {
    for (const auto& block : blocks)
      json.object([&] {
        json.member("address", block.address);
        json.member("requested", block.requested);
        json.member("size", block.whole);
        if (const auto window = by_address.find(block.address); window != by_address.end())
          json.member("window", window->second);
      });
  });
}

std::string DevicePool::snapshot(const Shortage& s, const stats::Holders& who) const {
  JsonWriter json(1);
  json.object([&] {
    json.member("format", "gmlake-out-of-memory");
    json.member("version", kSnapshotVersion);
    json.member("device", ordinal_);
    json.member("explanation", explain(s));
    json.object("request", [&] {
      json.member("bytes", s.wanted);
      json.member("missing", s.missing);
    });
    json.object("memory", [&] {
      json.member("home", s.home);
      json.member("live", s.live);
      json.member("physical", s.physical);
      json.member("free", s.free);
      json.member("largest_span", s.largest_span);
      json.member("limit_left", s.limit_left);
      json.member("beside", s.beside);
      json.member("device_free", s.device_free);
      json.member("device_memory", s.device_memory);
    });
    json.array("timelines", [&] {
      std::size_t t = 0;
      walk<SeenTimeline, std::size_t>([&](const SeenTimeline& timeline) {
        json.object([&] {
          json.member("timeline", t);
          json.member("kind", timeline.of_context ? "context" : "stream");
          json.member("passed", timeline.passed);
          json.member("pending_bytes", t < s.pending.size() ? s.pending[t] : 0);
        });
        ++t;
      });
    });
    add_regions(json);
    if (who.sample_bytes != 0) json.object("who", [&] { stats::add_holders(json, who); });
    stats::DeviceCounters all;
    {
      const Books::Opened books(books_.mutex());
      all = books_.all_counters();
    }
    json.object("counters", [&] {
#define X(name, kind, unit, help) json.member(#name, all.name);
      GMLAKE_COUNTERS(X)
#undef X
    });
  });
  return json.take() + "\n";
}

}  // namespace gmlake::pool
