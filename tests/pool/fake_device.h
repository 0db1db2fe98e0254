// A device in memory for the pool's tests: it keeps page tables, so that a test can ask which
// physical bytes an address means, streams whose work completes when the test says so, and it can
// fail any call.
//
// It aborts on what the real driver would punish later: mapping over a mapping, unmapping a part,
// access to what is not mapped, releasing twice.
//
// What a call would have given back and did not, since it failed, is stuck: nobody is blamed for
// leaving it. As with the driver, a handle that is released while a stuck mapping shows it lives as
// long as that mapping.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "driver/device.h"

namespace gmlake::testing {

inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "fake device: %s\n", what.c_str());
  std::abort();
}

class FakeDevice final : public driver::Device {
 public:
  explicit FakeDevice(Bytes memory, Bytes chunk = 2 * MiB) : memory_(memory), chunk_(chunk) {}
  ~FakeDevice() override {
    for (const auto& [handle, physical] : handles_)
      require(physical.stuck || physical.released, "physical memory leaked");
    for (const auto& [at, mapping] : mappings_) require(mapping.stuck, "mappings leaked");
    for (const auto& [at, reservation] : reservations_)
      require(reservation.stuck || mapped(at, reservation.size), "reservations leaked");
    for (const auto& [event, state] : events_) require(state.stuck, "events leaked");
  }

  // What the test drives.
  std::string fail_call;             // every call of this function fails ...
  std::uint64_t fail_after = 0;      // ... once this many have succeeded ...
  std::uint64_t fail_times = ~0ULL;  // ... this many times
  std::string fail_too;              // every call of this one fails as well
  int fail_code = 2;
  // Hear of every range that is about to be unmapped, and of physical bytes about to be released.
  std::function<void(driver::Address, Bytes)> unmapping = [](driver::Address, Bytes) {};
  std::function<void(Bytes, Bytes)> releasing = [](Bytes, Bytes) {};
  // Is called, by the thread itself, when a context's or a stream's work is about to be followed.
  std::function<void()> recording = [] {};
  std::set<const void*> gone;                // contexts and streams that no call may name
  std::map<void*, std::uint64_t> submitted;  // by stream: work given
  std::map<void*, std::uint64_t> completed;  // and done
  using Points = std::map<void*, std::uint64_t>;
  std::map<void*, Points> after;  // by stream: what its later work comes after, by waits
  Bytes mapping_limit = ~Bytes{0};
  bool has_context_events = true;
  bool only_legacy = false;  // no context has had another stream so far
  bool capturing = false;    // all streams are being captured: no event may be recorded
  bool captured = false;     // some stream is, as far as is seen
  Bytes others = 0;          // of its memory, what other processes have

  void finish_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& [stream, count] : submitted) completed[stream] = count;
  }
  // Work for a stream.
  void give(void* stream) {
    const std::lock_guard lock(mutex_);
    ++submitted[stream];
  }
  // What an event recorded on a stream now would stand for.
  Points given(void* stream) {
    const std::lock_guard lock(mutex_);
    auto points = after[stream];
    points[stream] = submitted[stream];
    return points;
  }
  void stream_waits(void* stream, const Points& points) {
    const std::lock_guard lock(mutex_);
    for (const auto& [on, point] : points) after[stream][on] = std::max(after[stream][on], point);
  }
  void finish(const Points& points) {
    const std::lock_guard lock(mutex_);
    for (const auto& [stream, point] : points)
      completed[stream] = std::max(completed[stream], point);
  }
  Bytes physical() const { return physical_; }
  // Of it, what has no use any more but could not be given back.
  Bytes stuck() const {
    std::map<driver::Handle, bool> in_use;  // of those with a stuck mapping; they have others
    for (const auto& [at, mapping] : mappings_)
      if (mapping.stuck) in_use[mapping.handle] = false;
    for (const auto& [handle, physical] : handles_)
      if (physical.stuck) in_use[handle] = false;
    if (in_use.empty()) return 0;
    for (const auto& [at, mapping] : mappings_)
      if (const auto found = in_use.find(mapping.handle); found != in_use.end())
        found->second = found->second || mapping.accessible;
    Bytes bytes = 0;
    for (const auto& [handle, used] : in_use)
      if (!used) bytes += handles_.at(handle).size;
    return bytes;
  }
  // The context is destroyed: its work is done and its events are gone with it.
  void forget_context(driver::Context context) {
    finish_all();
    std::erase_if(events_, [&](const auto& entry) { return entry.second.context == context; });
  }
  // Behind the first reservation, but for what could not be unmapped.
  Bytes mapped_behind_first() const {
    Bytes bytes = 0;
    for (const auto& [at, mapping] : mappings_)
      if (!mapping.stuck && !in_first_reservation(at)) bytes += mapping.size;
    return bytes;
  }
  std::size_t mapping_count() const { return mappings_.size(); }
  // Of the reservations that there are now.
  bool in_first_reservation(driver::Address at) const {
    return !reservations_.empty() &&
           at - reservations_.begin()->first < reservations_.begin()->second.size;
  }
  Bytes physical_of(driver::Handle handle) const { return handles_.at(handle).start; }
  // The physical byte behind an address, unique over the device's life.
  Bytes physical_at(driver::Address at) const {
    auto found = mappings_.upper_bound(at);
    require(found != mappings_.begin(), "an address that is not mapped");
    --found;
    require(at - found->first < found->second.size, "an address that is not mapped");
    require(found->second.accessible, "an address without access");
    return handles_.at(found->second.handle).start + (at - found->first);
  }
  struct Range {
    Bytes start;
    Bytes size;
    bool operator==(const Range&) const = default;
  };
  // All physical bytes behind a range of addresses.
  std::vector<Range> physical_of(driver::Address at, Bytes size) const {
    std::vector<Range> ranges;
    while (size != 0) {
      const Bytes start = physical_at(at);
      const auto found = std::prev(mappings_.upper_bound(at));
      const Bytes n = std::min(size, found->first + found->second.size - at);
      ranges.push_back({start, n});
      at += n;
      size -= n;
    }
    return ranges;
  }

  Result<driver::Address> reserve(Bytes size) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuMemAddressReserve", __builtin_return_address(0)))
      return fail(*failed);
    const auto at = next_address_;
    next_address_ += round_up(size, chunk_) + chunk_;
    reservations_[at] = {size};
    return at;
  }
  Status free_reservation(driver::Address at, Bytes size) override {
    const std::lock_guard lock(mutex_);
    const auto found = reservations_.find(at);
    require(found != reservations_.end() && found->second.size == size,
            "a reservation freed that is none");
    require(!mapped(at, size), "a reservation freed while mapped");
    if (auto failed = call("cuMemAddressFree", __builtin_return_address(0))) {
      found->second.stuck = true;
      return fail(*failed);
    }
    reservations_.erase(found);
    return {};
  }
  Result<driver::Handle> create(Bytes size) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuMemCreate", __builtin_return_address(0))) return fail(*failed);
    require(size != 0 && size % chunk_ == 0, "an odd handle");
    if (physical_ + others + size > memory_) {
      return fail(refuse("cuMemCreate"));
    }
    handles_[++last_handle_] = {next_physical_, size, false, false};
    next_physical_ += size;
    physical_ += size;
    return last_handle_;
  }
  Status release(driver::Handle handle) override {
    const std::lock_guard lock(mutex_);
    const auto found = handles_.find(handle);
    require(found != handles_.end() && !found->second.released, "a handle released twice");
    bool shown = false;
    for (const auto& [at, mapping] : mappings_) {
      require(mapping.handle != handle || mapping.stuck, "a handle released while mapped");
      shown = shown || mapping.handle == handle;
    }
    if (auto failed = call("cuMemRelease", __builtin_return_address(0))) {
      found->second.stuck = true;
      return fail(*failed);
    }
    releasing(found->second.start, found->second.size);
    found->second.released = true;
    if (!shown) forget(found);
    return {};
  }
  Status map(driver::Address at, Bytes size, driver::Handle handle) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuMemMap", __builtin_return_address(0))) return fail(*failed);
    if (mappings_.size() >= mapping_limit) return fail(refuse("cuMemMap"));
    auto range = reservations_.upper_bound(at);
    require(range != reservations_.begin(), "mapping outside a reservation");
    --range;
    require(at + size <= range->first + range->second.size, "mapping outside a reservation");
    const auto found = handles_.find(handle);
    require(found != handles_.end() && size == found->second.size && at % chunk_ == 0,
            "an odd mapping");
    require(!mapped(at, size), "mapping over a mapping");
    mappings_[at] = {handle, size, false, false, {}};
    return {};
  }
  Status unmap(driver::Address at, Bytes size) override {
    const std::lock_guard lock(mutex_);
    const auto failed = call("cuMemUnmap", __builtin_return_address(0));
    if (!failed) unmapping(at, size);
    for (const auto end = at + size; at < end;) {
      const auto found = mappings_.find(at);
      require(found != mappings_.end(), "unmapping what is not mapped");
      at += found->second.size;
      require(at <= end, "unmapping a part");
      if (failed)
        found->second.stuck = true;
      else
        unmap(found);
    }
    if (failed) return fail(*failed);
    return {};
  }
  Status set_access(driver::Address at, Bytes size) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuMemSetAccess", __builtin_return_address(0))) return fail(*failed);
    for (const auto end = at + size; at < end;) {
      const auto found = mappings_.find(at);
      require(found != mappings_.end(), "access to what is not mapped");
      found->second.accessible = true;
      at += found->second.size;
    }
    return {};
  }
  Status set_peer_access(driver::Address at, Bytes size, int device, bool may) override {
    const std::lock_guard lock(mutex_);
    if (!are_peers) return fail(ErrorKind::unsupported, "cuMemSetAccess");
    if (auto failed = call("cuMemSetAccess", __builtin_return_address(0))) return fail(*failed);
    for (const auto end = at + size; at < end;) {
      const auto found = mappings_.find(at);
      require(found != mappings_.end(), "peer access to what is not mapped");
      auto& peers = found->second.peers;
      may ? (void)peers.insert(device) : (void)peers.erase(device);
      at += found->second.size;
    }
    return {};
  }
  // Whether the device may reach all of the range.
  bool reaches(int device, driver::Address at, Bytes size) const {
    for (const auto end = at + size; at < end;) {
      const auto next = mappings_.upper_bound(at);
      if (next == mappings_.begin()) return false;
      const auto& [start, mapping] = *std::prev(next);
      if (start + mapping.size <= at || mapping.peers.count(device) == 0) return false;
      at = start + mapping.size;
    }
    return true;
  }
  // Mappings that it may reach.
  std::size_t reached(int device) const {
    std::size_t count = 0;
    for (const auto& [at, mapping] : mappings_) count += mapping.peers.count(device);
    return count;
  }
  std::size_t mappings() const { return mappings_.size(); }
  bool are_peers = true;
  Result<driver::MemoryInfo> memory_info() override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuMemGetInfo", __builtin_return_address(0))) return fail(*failed);
    return driver::MemoryInfo{memory_ - std::min(memory_, physical() + others), memory_};
  }

  Result<driver::Event> create_event(driver::Context context) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuEventCreate", __builtin_return_address(0))) return fail(*failed);
    require(gone.count(context) == 0, "an event made in a context that has ended");
    auto* event = reinterpret_cast<void*>(++last_event_);
    events_[event] = {context, {}, false};
    return event;
  }
  Status destroy_event(driver::Event event) override {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(event);
    require(found != events_.end(), "an event destroyed twice");
    if (auto failed = call("cuEventDestroy", __builtin_return_address(0))) {
      found->second.stuck = true;
      return fail(*failed);
    }
    events_.erase(found);
    return {};
  }
  Status record_event(driver::Event event, driver::Context context,
                      driver::Stream stream) override {
    const auto tell = recording;  // it may put another in its place
    tell();
    const std::lock_guard lock(mutex_);
    require(gone.count(context) + gone.count(stream) == 0, "an event recorded where all has ended");
    if (capturing) return fail(ErrorKind::captured, "cuEventRecord");
    if (auto failed = call("cuEventRecord", __builtin_return_address(0))) return fail(*failed);
    events_.at(event).points = given(stream);
    return {};
  }
  Status record_context(driver::Event event, driver::Context context, bool) override {
    const auto tell = recording;
    tell();
    const std::lock_guard lock(mutex_);
    require(gone.count(context) == 0, "an event recorded in a context that has ended");
    if (capturing) return fail(ErrorKind::captured, "cuCtxRecordEvent");
    if (!has_context_events) return fail(801, "cuCtxRecordEvent", ErrorKind::unsupported);
    if (auto failed = call("cuCtxRecordEvent", __builtin_return_address(0))) return fail(*failed);
    events_.at(event).points = submitted;
    return {};
  }
  Result<bool> query(driver::Event event) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuEventQuery", __builtin_return_address(0))) return fail(*failed);
    for (const auto& [stream, point] : events_.at(event).points)
      if (completed[stream] < point) return false;
    return true;
  }
  Status make_wait(driver::Stream stream, driver::Context, driver::Event event) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuStreamWaitEvent", __builtin_return_address(0))) return fail(*failed);
    stream_waits(stream, events_.at(event).points);
    return {};
  }
  Status wait(driver::Event event) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = call("cuEventSynchronize", __builtin_return_address(0))) return fail(*failed);
    finish(events_.at(event).points);
    return {};
  }
  Status wait_context(driver::Context context) override {
    const std::lock_guard lock(mutex_);
    require(gone.count(context) == 0, "a context waited for that has ended");
    if (auto failed = call("cuCtxSynchronize", __builtin_return_address(0))) return fail(*failed);
    finish_all();
    return {};
  }
  bool only_legacy_stream(driver::Context context) const override {
    return only_legacy && context != nullptr;
  }
  bool captures() const override { return captured; }
  void count(stats::DriverCallCount (&)[stats::kDriverCalls]) const override {}

  std::map<std::string, std::uint64_t> calls;    // by function, failed ones too
  std::map<std::string, std::uint64_t> faulted;  // by function: made to fail
  std::uint64_t failures = 0;                    // of all functions
  // Of the first call that was to give memory and did not, since the test forgot it.
  std::optional<int> memory_error;

  // A place in the pool's code that makes a call.
  struct Place {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    bool first_failed = false;
  };
  std::map<const void*, Place> places;  // by the address behind the call

 private:
  struct Mapping {
    driver::Handle handle;
    Bytes size;
    bool accessible;
    bool stuck;
    std::set<int> peers = {};
  };
  struct Physical {
    Bytes start;
    Bytes size;
    bool released;
    bool stuck;
  };
  struct Reservation {
    Bytes size = 0;
    bool stuck = false;
  };
  struct Event {
    driver::Context context;
    Points points;
    bool stuck;
  };
  using Handles = std::map<driver::Handle, Physical>;
  using Mapped = std::map<driver::Address, Mapping>;

  // Whether anything is, in that range.
  bool mapped(driver::Address at, Bytes size) const {
    const auto next = mappings_.lower_bound(at + size);
    return next != mappings_.begin() && std::prev(next)->first + std::prev(next)->second.size > at;
  }
  void unmap(Mapped::iterator mapping) {
    const auto handle = mapping->second.handle;
    mappings_.erase(mapping);
    const auto found = handles_.find(handle);
    if (found->second.released &&
        std::none_of(mappings_.begin(), mappings_.end(),
                     [&](const auto& other) { return other.second.handle == handle; }))
      forget(found);
  }
  void forget(Handles::iterator handle) {
    physical_ -= handle->second.size;
    handles_.erase(handle);
  }
  std::optional<Error> call(const char* name, const void* from) {
    const auto count = ++calls[name];
    auto& place = places[from];
    ++place.calls;
    if (fail_too != name) {
      if (fail_call != name || count <= fail_after || fail_times == 0) return {};
      --fail_times;
    }
    place.first_failed = place.first_failed || place.calls == 1;
    ++place.failures;
    ++faulted[name];
    ++failures;
    for (const char* giver : {"cuMemAddressReserve", "cuMemCreate", "cuMemMap", "cuMemSetAccess"})
      if (std::string_view(name) == giver && !memory_error) memory_error = fail_code;
    return Error{fail_code, name, kind_of(name)};
  }
  static ErrorKind kind_of(std::string_view name) {
    if (name == "cuMemCreate") return ErrorKind::memory;
    return name.starts_with("cuMem") && name != "cuMemGetInfo" && name != "cuMemRelease"
               ? ErrorKind::mappings
               : ErrorKind::other;
  }
  // There is none.
  Error refuse(const char* name) {
    constexpr int kOutOfMemory = 2;
    if (!memory_error) memory_error = kOutOfMemory;
    return {kOutOfMemory, name, kind_of(name)};
  }

  // Threads make calls at once, as they do on a driver; what the test drives is its own to order.
  std::recursive_mutex mutex_;
  const Bytes memory_;
  const Bytes chunk_;
  driver::Address next_address_ = 1 * TiB;
  driver::Handle last_handle_ = 0;
  std::uintptr_t last_event_ = 0;
  Bytes physical_ = 0;
  Bytes next_physical_ = 0;
  Handles handles_;
  Mapped mappings_;
  std::map<driver::Address, Reservation> reservations_;
  std::map<driver::Event, Event> events_;
};

}  // namespace gmlake::testing
