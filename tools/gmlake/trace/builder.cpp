// Dense numbers for everything that is named; see builder.h.
#include "trace/builder.h"

#include <limits>
#include <utility>

namespace gmlake::trace {
namespace {

// A thousand times all the memory that addresses could name.
constexpr Bytes kMostLive = Bytes{1} << 58;

template <typename Known>
std::optional<std::uint16_t> number(std::uint64_t name, Known& known,
                                    std::vector<std::uint64_t>& names) {
  if (const auto found = known.find(name); found != known.end()) return found->second;
  if (names.size() > std::numeric_limits<std::uint16_t>::max()) return {};
  const auto next = static_cast<std::uint16_t>(names.size());
  names.push_back(name);
  known.emplace(name, next);
  return next;
}

}  // namespace

// One name is as many streams as there are threads that use it.
std::optional<std::uint16_t> Builder::number_of_stream(std::uint64_t stream, std::uint64_t thread) {
  if (stream != kPerThread) return number(stream, streams_, trace_.streams);
  if (const auto found = own_streams_.find(thread); found != own_streams_.end())
    return found->second;
  if (trace_.streams.size() > std::numeric_limits<std::uint16_t>::max()) return {};
  const auto next = static_cast<std::uint16_t>(trace_.streams.size());
  trace_.streams.push_back(kPerThread);
  trace_.stream_threads.emplace(next, thread);
  own_streams_.emplace(thread, next);
  return next;
}

Builder::Outcome Builder::add(Kind kind, std::uint32_t block, Bytes bytes, std::uint64_t time,
                              std::uint64_t stream, std::uint64_t thread) {
  const auto stream_number = number_of_stream(stream, thread);
  const auto thread_number = number(thread, threads_, trace_.threads);
  if (!stream_number || !thread_number) return Outcome::too_many;
  trace_.events.push_back({bytes, time & (~std::uint64_t{0} >> 3), static_cast<std::uint64_t>(kind),
                           block, *stream_number, *thread_number});
  return Outcome::added;
}

Builder::Outcome Builder::allocate(std::uint64_t address, Bytes bytes, std::uint64_t time,
                                   std::uint64_t stream, std::uint64_t thread) {
  if (trace_.allocations == std::numeric_limits<std::uint32_t>::max()) return Outcome::too_many;
  if (bytes > kMostLive - live_bytes_) return Outcome::too_large;
  const auto [entry, fresh] = live_.try_emplace(address, Live{trace_.allocations, bytes});
  if (!fresh) return Outcome::live_already;
  live_bytes_ += bytes;
  const auto outcome = add(Kind::allocate, trace_.allocations, bytes, time, stream, thread);
  if (outcome == Outcome::added) {
    ++trace_.allocations;
    trace_.addresses.push_back(address);
  }
  return outcome;
}

Builder::Outcome Builder::free(std::uint64_t address, std::uint64_t time, std::uint64_t stream,
                               std::uint64_t thread) {
  const auto found = live_.find(address);
  if (found == live_.end()) {
    ++trace_.unknown_frees;
    return Outcome::unknown_block;
  }
  const auto live = found->second;
  live_.erase(found);
  live_bytes_ -= live.bytes;
  return add(Kind::free, live.block, live.bytes, time, stream, thread);
}

Builder::Outcome Builder::order(Kind kind, std::uint64_t name, std::uint64_t time,
                                std::uint64_t stream, std::uint64_t thread) {
  const auto [entry, fresh] = cuda_events_.try_emplace(name, trace_.cuda_events);
  if (fresh && ++trace_.cuda_events == 0) return Outcome::too_many;
  return add(kind, entry->second, 0, time, stream, thread);
}

Builder::Outcome Builder::progress(Kind kind, std::uint64_t fence, std::uint64_t time,
                                   std::uint64_t stream, std::uint64_t thread, bool passed) {
  if (kind == Kind::complete || kind == Kind::work) return add(kind, 0, 0, time, stream, thread);
  if (kind == Kind::fence) {
    if (trace_.fences == std::numeric_limits<std::uint32_t>::max()) return Outcome::too_many;
    fences_.insert_or_assign(fence, Fence{trace_.fences, stream});
    return add(kind, trace_.fences++, 0, time, stream, thread);
  }
  const auto known = fences_.find(fence);
  if (known == fences_.end()) return Outcome::added;
  return add(kind, known->second.number, passed, time, known->second.stream, thread);
}

Builder::Outcome Builder::blocking(std::uint64_t stream, std::uint64_t thread) {
  const auto number = number_of_stream(stream, thread);
  if (!number) return Outcome::too_many;
  trace_.blocking.insert(*number);
  return Outcome::added;
}

Trace Builder::finish() && {
  return std::move(trace_);
}

}  // namespace gmlake::trace
