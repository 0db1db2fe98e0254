#include "who/ledger.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <utility>

#include "support/no_cancel.h"

namespace gmlake::who {
namespace {

// The peak of each place is copied when all together have grown so much since it was: it is of a
// moment at which they had at least this share of the most that they ever had.
constexpr double kPeakStep = 1.01;

}  // namespace

// At a fifth of the precise clock's cost.
std::uint64_t Ledger::now() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

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

const std::uint32_t* Ledger::known_place(const Stack& stack, const Origin& origin) {
  const auto [first, last] = by_hash_.equal_range(hash_of(stack, origin));
  for (auto one = first; one != last; ++one) {
    const auto& place = places_[one->second];
    if (place.name == origin.name && place.stack == stack && place.python == origin.python)
      return &one->second;
  }
  return nullptr;
}

std::uint32_t Ledger::place_of(const Stack& stack, const Origin& origin, Lines lines) {
  if (const auto* known = known_place(stack, origin)) return *known;
  const bool full = places_.size() >= kMostPlaces;
  if (full && places_.size() > kMostPlaces) return kMostPlaces;
  places_.emplace_back();
  if (!full) {
    auto& place = places_.back();
    place.stack = stack;
    place.python = origin.python;
    place.lines = std::move(lines);
    place.name = origin.name;
    by_hash_.emplace(hash_of(stack, origin), static_cast<std::uint32_t>(places_.size() - 1));
  }
  return static_cast<std::uint32_t>(places_.size() - 1);
}

Ledger::Lines Ledger::lines_for(const Stack& stack, const Origin& origin) {
  if (origin.python.depth == 0) return nullptr;
  {
    const Lock lock(mutex_);
    if (places_.size() >= kMostPlaces || known_place(stack, origin)) return nullptr;
  }
  return std::make_shared<const std::vector<std::string>>(python_.lines_of(origin.python));
}

// Where Python's frames are known: its calls in C say worse what those say. The innermost one
// stays, since it may be the one that asked.
void Ledger::leave_interpreter_out(Stack& stack) const {
  for (std::size_t f = 0; f < stack.depth; ++f)
    if (python_.has(stack.frames[f])) stack.depth = f + 1;
}

void Ledger::note(std::uint64_t address, Bytes bytes, const stats::StreamName& stream, Name name) {
  Origin origin;
  origin.frame = __builtin_frame_address(0);
  origin.name = name;
  python_.here(origin.python);
  try {
    if (!note_known(origin, address, bytes, stream)) note_new(origin, address, bytes, stream);
  } catch (const std::exception&) {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Ledger::note_new(const Origin& origin, std::uint64_t address, Bytes bytes,
                      const stats::StreamName& stream) {
  const NoCancel whole;
  Known calls;
  auto stack = Stack::here(origin.frame, calls.chain);
  if (origin.python.depth != 0) leave_interpreter_out(stack);
  auto lines = lines_for(stack, origin);
  const Lock lock(mutex_);
  calls.python = origin.python;
  calls.name = origin.name;
  calls.place = place_of(stack, origin, std::move(lines));
  if (known_.empty()) known_.resize(kFrames);
  auto& ways = known_[ways_of(origin.frame, origin.python)];
  ways.calls[ways.next++ % kWays] = calls;
  add(calls.place, address, bytes, stream);
}

bool Ledger::note_known(const Origin& origin, std::uint64_t address, Bytes bytes,
                        const stats::StreamName& stream) {
  const auto ways = ways_of(origin.frame, origin.python);
  const Lock lock(mutex_);
  if (known_.empty()) return false;
  for (const auto& known : known_[ways].calls) {
    if (known.name != origin.name || !known.chain.leads_to(origin.frame) ||
        known.python != origin.python)
      continue;
    add(known.place, address, bytes, stream);
    return true;
  }
  return false;
}

void Ledger::add(std::uint32_t number, std::uint64_t address, Bytes bytes,
                 const stats::StreamName& stream) {
  auto* block = blocks_.find(address);
  if (block) {
    leave(*block);  // its free was not seen
  } else {
    block = &blocks_.insert(address);
    count_seen(address, 1);
  }
  const bool of_host = stream.kind == stats::StreamName::Kind::host;
  *block = {number, bytes, now(), of_host ? stream.context : nullptr};
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

void Ledger::count_seen(std::uint64_t address, int more) {
  auto& seen = seen_[slot_of(address)];
  seen.store(seen.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(more),
             std::memory_order_relaxed);
}

void Ledger::remove(std::uint64_t address, const Block& block) {
  leave(block);
  count_seen(address, -1);
  blocks_.erase(address);
}

void Ledger::forget(std::uint64_t address) {
  const Lock lock(mutex_);
  if (const auto* block = blocks_.find(address)) remove(address, *block);
}

void Ledger::forget_context(const void* context) {
  const NoCancel whole;
  const Lock lock(mutex_);
  std::uint64_t address = 0;
  for (std::size_t at = 0; const auto* block = blocks_.seek(at, address);) {
    if (block->context == context)
      remove(address, *block);  // another one may be there now
    else
      ++at;
  }
}

}  // namespace gmlake::who
