// What the ledger (who/ledger.h) shows: its places in words, those that are one for people as one.
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "who/ledger.h"

namespace gmlake::who {
namespace {

// As many may come to one when their calls have names.
constexpr std::size_t kPlacesOfOne = 16;

std::string in_words(const stats::StreamName& stream) {
  using Kind = stats::StreamName::Kind;
  if (stream.kind == Kind::host) return "host";
  if (stream.kind == Kind::legacy) return "legacy";
  if (stream.kind == Kind::per_thread) return "per-thread";
  return std::to_string(stream.id);
}

}  // namespace

std::vector<Ledger::Seen> Ledger::seen(stats::Holders& all) const {
  const Lock lock(mutex_);
  const auto then = now();  // behind all that were noted
  all.sample_bytes = sample_bytes_.load(std::memory_order_relaxed);
  all.live = live_;
  all.peak = peak_;
  all.lost = lost_.load(std::memory_order_relaxed);
  std::vector<Seen> seen;
  for (const auto& place : places_) seen.push_back({place, 0});
  blocks_.each([&](const Block& block) {
    auto& oldest = seen[block.place].oldest_seconds;
    if (then > block.since)
      oldest = std::max(oldest, static_cast<double>(then - block.since) / 1e9);
  });
  return seen;
}

// A request that the pool does not have at once comes here by way of the runtime, others do not:
// from where the program called on it is the same place.
stats::Holders Ledger::holders(std::size_t most, const Names& names, Calls calls) const {
  stats::Holders all;
  std::optional<Loaded> loaded;
  if (calls == Calls::placed) loaded.emplace();
  std::unordered_map<std::uintptr_t, who::Place> known;
  const std::vector<std::string> none;
  std::map<std::tuple<Name, std::vector<std::string>, std::vector<std::string>>, std::size_t>
      by_calls;
  auto places = seen(all);
  const auto weight = [](const auto& one) { return std::max(one.at_peak, one.live); };
  const auto named = std::min(places.size(), most * kPlacesOfOne);
  std::partial_sort(
      places.begin(), places.begin() + static_cast<std::ptrdiff_t>(named), places.end(),
      [&](const Seen& a, const Seen& b) { return weight(a.place) > weight(b.place); });
  places.resize(named);
  for (const auto& [place, oldest_seconds] : places) {
    const auto& lines = place.lines ? *place.lines : none;
    std::string library;
    std::vector<std::string> frames;
    for (std::size_t f = 0; f < place.stack.depth; ++f) {
      const auto address = place.stack.frames[f];
      if (!frames.empty() && !lines.empty() && python_.has(address)) break;
      const auto [found, is_new] = known.try_emplace(address);
      auto& call = found->second;
      if (is_new) call = loaded ? loaded->place_of(address) : who::place_of(address);
      if (frames.empty() && call.between) continue;
      if (frames.empty()) library = call.library;
      frames.push_back(call.text);
    }
    const auto [same, fresh] =
        by_calls.try_emplace(std::tuple(place.name, frames, lines), all.holders.size());
    if (fresh) {
      auto& added = all.holders.emplace_back();
      if (const char* name = names.text_of(place.name)) added.name = name;
      added.library = std::move(library);
      added.frames = std::move(frames);
      added.python = lines;
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
