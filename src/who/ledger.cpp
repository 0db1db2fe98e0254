#include "who/ledger.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "support/no_cancel.h"

namespace gmlake::who {
namespace {

// The peak of each place is copied when all together have grown so much since it was: it is of a
// moment at which they had at least this share of the most that they ever had.
constexpr double kPeakStep = 1.01;

// As many may come to one when their calls have names.
constexpr std::size_t kPlacesOfOne = 16;

// To some milliseconds, and at a fifth of the precise clock's cost.
std::uint64_t coarse_nanoseconds() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::string in_words(const stats::StreamName& stream) {
  using Kind = stats::StreamName::Kind;
  if (stream.kind == Kind::host) return "host";
  if (stream.kind == Kind::legacy) return "legacy";
  if (stream.kind == Kind::per_thread) return "per-thread";
  return std::to_string(stream.id);
}

}  // namespace

// The distance to the next one is a step in the mean, and never the same: a program's own period is
// not to choose which of its blocks are noted.
bool Ledger::is_due(Countdown& until, Bytes step) {
  const bool begun = until.random != 0;
  if (!begun)
    until.random = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&until)) | 1;
  until.random ^= until.random << 13;
  until.random ^= until.random >> 17;
  until.random ^= until.random << 5;
  const auto gap = static_cast<std::int64_t>(step * 2 * (until.random >> 8) >> 24);
  until.left = std::max<std::int64_t>(until.left + gap, -static_cast<std::int64_t>(step));
  return begun;
}

std::uint32_t Ledger::place_of(const Stack& stack, Name name) {
  const auto hash = stack.hash() ^ name;
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto one = first; one != last; ++one)
    if (places_[one->second].name == name && places_[one->second].stack == stack)
      return one->second;
  const bool full = places_.size() >= kMostPlaces;
  if (full && places_.size() > kMostPlaces) return kMostPlaces;
  places_.emplace_back();
  if (!full) {
    places_.back().stack = stack;
    places_.back().name = name;
    by_hash_.emplace(hash, static_cast<std::uint32_t>(places_.size() - 1));
  }
  return static_cast<std::uint32_t>(places_.size() - 1);
}

void Ledger::note(std::uint64_t address, Bytes bytes, const stats::StreamName& stream, Name name) {
  const NoCancel whole;
  const void* const frame = __builtin_frame_address(0);
  try {
    if (note_known(frame, address, bytes, stream, name)) return;
    Known calls;
    const auto stack = Stack::here(frame, calls.chain);
    const Lock lock(mutex_);
    calls.name = name;
    calls.place = place_of(stack, name);
    if (known_.empty()) {
      spare_.reserve(kMostSpare);
      known_.resize(kFrames);
    }
    auto& ways = known_[ways_of(frame)];
    ways.calls[ways.next++ % kWays] = calls;
    add(calls.place, address, bytes, stream);
  } catch (const std::exception&) {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Ledger::note_known(const void* frame, std::uint64_t address, Bytes bytes,
                        const stats::StreamName& stream, Name name) {
  const Lock lock(mutex_);
  if (known_.empty()) return false;
  for (const auto& known : known_[ways_of(frame)].calls) {
    if (known.name != name || !known.chain.leads_to(frame)) continue;
    add(known.place, address, bytes, stream);
    return true;
  }
  return false;
}

void Ledger::add(std::uint32_t number, std::uint64_t address, Bytes bytes,
                 const stats::StreamName& stream) {
  auto block = blocks_.find(address);
  if (block != blocks_.end()) {
    leave(block->second);  // its free was not seen
  } else {
    if (spare_.empty()) {
      block = blocks_.try_emplace(address).first;
    } else {
      spare_.back().key() = address;
      block = blocks_.insert(std::move(spare_.back())).position;
      spare_.pop_back();
    }
    seen_[slot_of(address)].fetch_add(1, std::memory_order_relaxed);
  }
  const bool of_host = stream.kind == stats::StreamName::Kind::host;
  block->second = {number, bytes, coarse_nanoseconds(), of_host ? stream.context : nullptr};
  auto& place = places_[number];
  ++changes_;
  place.stream = stream;
  place.live += bytes;
  place.allocated += bytes;
  ++place.blocks;
  live_ += bytes;
  if (static_cast<double>(live_) < static_cast<double>(peak_) * kPeakStep) return;
  peak_ = live_;
  for (auto& one : places_) one.at_peak = one.live;
}

void Ledger::leave(const Block& block) {
  auto& place = places_[block.place];
  place.live -= block.bytes;
  --place.blocks;
  ++changes_;
  live_ -= block.bytes;
}

Ledger::Blocks::iterator Ledger::remove(Blocks::iterator block) {
  leave(block->second);
  seen_[slot_of(block->first)].fetch_sub(1, std::memory_order_relaxed);
  const auto next = std::next(block);
  auto node = blocks_.extract(block);
  if (spare_.size() < spare_.capacity()) spare_.push_back(std::move(node));
  return next;
}

void Ledger::forget(std::uint64_t address) {
  const NoCancel whole;
  const Lock lock(mutex_);
  if (const auto block = blocks_.find(address); block != blocks_.end()) remove(block);
}

void Ledger::forget_context(const void* context) {
  const NoCancel whole;
  const Lock lock(mutex_);
  for (auto block = blocks_.begin(); block != blocks_.end();)
    block = block->second.context == context ? remove(block) : std::next(block);
}

std::vector<Ledger::Seen> Ledger::seen(stats::Holders& all) const {
  const Lock lock(mutex_);
  const auto now = coarse_nanoseconds();  // behind all that were noted
  all.sample_bytes = sample_bytes_.load(std::memory_order_relaxed);
  all.live = live_;
  all.peak = peak_;
  all.lost = lost_.load(std::memory_order_relaxed);
  std::vector<Seen> seen;
  for (const auto& place : places_) seen.push_back({place, 0});
  for (const auto& [address, block] : blocks_) {
    auto& oldest = seen[block.place].oldest_seconds;
    if (now > block.since) oldest = std::max(oldest, static_cast<double>(now - block.since) / 1e9);
  }
  return seen;
}

// A request that the pool does not have at once comes here by way of the runtime, others do not:
// from where the program called on it is the same place.
stats::Holders Ledger::holders(std::size_t most, const Names& names, Calls calls) const {
  stats::Holders all;
  std::optional<Loaded> loaded;
  if (calls == Calls::placed) loaded.emplace();
  std::unordered_map<std::uintptr_t, who::Place> known;
  std::map<std::pair<Name, std::vector<std::string>>, std::size_t> by_calls;
  auto places = seen(all);
  const auto weight = [](const auto& one) { return std::max(one.at_peak, one.live); };
  const auto named = std::min(places.size(), most * kPlacesOfOne);
  std::partial_sort(
      places.begin(), places.begin() + static_cast<std::ptrdiff_t>(named), places.end(),
      [&](const Seen& a, const Seen& b) { return weight(a.place) > weight(b.place); });
  places.resize(named);
  for (const auto& [place, oldest_seconds] : places) {
    std::string library;
    std::vector<std::string> frames;
    for (std::size_t f = 0; f < place.stack.depth; ++f) {
      const auto address = place.stack.frames[f];
      const auto [found, fresh] = known.try_emplace(address);
      if (fresh) found->second = loaded ? loaded->place_of(address) : who::place_of(address);
      if (frames.empty() && found->second.between) continue;
      if (frames.empty()) library = found->second.library;
      frames.push_back(found->second.text);
    }
    const auto [same, fresh] =
        by_calls.try_emplace(std::pair(place.name, frames), all.holders.size());
    if (fresh) {
      auto& added = all.holders.emplace_back();
      if (const char* name = names.text_of(place.name)) added.name = name;
      added.library = std::move(library);
      added.frames = std::move(frames);
    }
    auto& holder = all.holders[same->second];
    holder.live += place.live;
    holder.at_peak += place.at_peak;
    holder.allocated += place.allocated;
    holder.blocks += place.blocks;
    holder.oldest_seconds = std::max(holder.oldest_seconds, oldest_seconds);
    holder.stream = in_words(place.stream);
  }
  std::stable_sort(all.holders.begin(), all.holders.end(),
                   [&](const auto& a, const auto& b) { return weight(a) > weight(b); });
  all.holders.resize(std::min(all.holders.size(), most));
  return all;
}

}  // namespace gmlake::who
