// A device in memory for the pool's tests: it keeps page tables, so that a test can ask which
// physical bytes an address means, streams whose work completes when the test says so, and it can
// fail any call.
//
// It aborts on what the real driver would punish later: mapping over a mapping, unmapping a part,
// access to what is not mapped, releasing twice.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>

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
    require(handles_.empty(), "physical memory leaked");
    require(mappings_.empty(), "mappings leaked");
    require(reservations_.empty(), "reservations leaked");
    require(events_.empty(), "events leaked");
  }

  // What the test drives.
  std::string fail_call;             // every call of this function fails ...
  std::uint64_t fail_after = 0;      // ... once this many have succeeded ...
  std::uint64_t fail_times = ~0ULL;  // ... this many times
  int fail_code = 2;
  std::map<void*, std::uint64_t> submitted;  // by stream: work given
  std::map<void*, std::uint64_t> completed;  // and done
  Bytes mapping_limit = ~Bytes{0};
  bool has_context_events = true;

  void finish_all() {
    for (const auto& [stream, count] : submitted) completed[stream] = count;
  }
  Bytes physical() const { return handles_.size() * chunk_; }
  std::size_t mapping_count() const { return mappings_.size(); }
  // The physical byte behind an address, unique over the device's life.
  Bytes physical_at(driver::Address at) const {
    auto found = mappings_.upper_bound(at);
    require(found != mappings_.begin(), "an address that is not mapped");
    --found;
    require(at - found->first < chunk_, "an address that is not mapped");
    require(found->second.accessible, "an address without access");
    return found->second.handle * chunk_ + (at - found->first);
  }

  Result<driver::Address> reserve(Bytes size) override {
    if (auto failed = call("cuMemAddressReserve")) return fail(*failed);
    const auto at = next_address_;
    next_address_ += round_up(size, chunk_) + chunk_;
    reservations_[at] = size;
    return at;
  }
  Status free_reservation(driver::Address at, Bytes size) override {
    if (auto failed = call("cuMemAddressFree")) return fail(*failed);
    require(reservations_.count(at) == 1 && reservations_[at] == size,
            "a reservation freed that is none");
    const auto mapped = mappings_.lower_bound(at);
    require(mapped == mappings_.end() || mapped->first >= at + size,
            "a reservation freed while mapped");
    reservations_.erase(at);
    return {};
  }
  Result<driver::Handle> create(Bytes size) override {
    if (auto failed = call("cuMemCreate")) return fail(*failed);
    require(size == chunk_, "an odd handle");
    if (physical() + size > memory_) return fail(2, "cuMemCreate");
    handles_.insert(++last_handle_);
    return last_handle_;
  }
  Status release(driver::Handle handle) override {
    if (auto failed = call("cuMemRelease")) return fail(*failed);
    require(handles_.erase(handle) == 1, "a handle released twice");
    return {};
  }
  Status map(driver::Address at, Bytes size, driver::Handle handle) override {
    if (auto failed = call("cuMemMap")) return fail(*failed);
    if (mappings_.size() >= mapping_limit) return fail(2, "cuMemMap");
    auto range = reservations_.upper_bound(at);
    require(range != reservations_.begin(), "mapping outside a reservation");
    --range;
    require(at + size <= range->first + range->second, "mapping outside a reservation");
    require(size == chunk_ && at % chunk_ == 0 && handles_.count(handle) == 1, "an odd mapping");
    require(mappings_.emplace(at, Mapping{handle, false}).second, "mapping over a mapping");
    return {};
  }
  Status unmap(driver::Address at, Bytes size) override {
    if (auto failed = call("cuMemUnmap")) return fail(*failed);
    for (Bytes done = 0; done < size; done += chunk_)
      require(mappings_.erase(at + done) == 1, "unmapping what is not mapped");
    return {};
  }
  Status set_access(driver::Address at, Bytes size) override {
    if (auto failed = call("cuMemSetAccess")) return fail(*failed);
    for (Bytes done = 0; done < size; done += chunk_) {
      const auto found = mappings_.find(at + done);
      require(found != mappings_.end(), "access to what is not mapped");
      found->second.accessible = true;
    }
    return {};
  }
  Result<driver::MemoryInfo> memory_info() override {
    if (auto failed = call("cuMemGetInfo")) return fail(*failed);
    return driver::MemoryInfo{memory_ - physical(), memory_};
  }

  Result<driver::Event> create_event(driver::Context context) override {
    if (auto failed = call("cuEventCreate")) return fail(*failed);
    auto* event = reinterpret_cast<void*>(++last_event_);
    events_[event] = {context, {}};
    return event;
  }
  Status destroy_event(driver::Event event) override {
    require(events_.erase(event) == 1, "an event destroyed twice");
    return {};
  }
  Status record(driver::Event event, driver::Context, driver::Stream stream) override {
    if (auto failed = call("cuEventRecord")) return fail(*failed);
    events_.at(event).points = {{stream, submitted[stream]}};
    return {};
  }
  Status record_context(driver::Event event, driver::Context) override {
    if (!has_context_events) return fail(801, "cuCtxRecordEvent");
    if (auto failed = call("cuCtxRecordEvent")) return fail(*failed);
    events_.at(event).points = submitted;
    return {};
  }
  Result<bool> query(driver::Event event) override {
    if (auto failed = call("cuEventQuery")) return fail(*failed);
    for (const auto& [stream, point] : events_.at(event).points)
      if (completed[stream] < point) return false;
    return true;
  }
  Status wait(driver::Event event) override {
    if (auto failed = call("cuEventSynchronize")) return fail(*failed);
    for (const auto& [stream, point] : events_.at(event).points)
      completed[stream] = std::max(completed[stream], point);
    return {};
  }
  Status wait_context(driver::Context) override {
    if (auto failed = call("cuCtxSynchronize")) return fail(*failed);
    finish_all();
    return {};
  }
  void count(stats::DriverCallCount (&)[stats::kDriverCalls]) const override {}

  std::map<std::string, std::uint64_t> calls;

 private:
  struct Mapping {
    driver::Handle handle;
    bool accessible;
  };
  struct Event {
    driver::Context context;
    std::map<void*, std::uint64_t> points;
  };
  std::optional<Error> call(const char* name) {
    const auto count = ++calls[name];
    if (fail_call != name || count <= fail_after || fail_times == 0) return {};
    --fail_times;
    return Error{fail_code, name};
  }

  const Bytes memory_;
  const Bytes chunk_;
  driver::Address next_address_ = 1 * TiB;
  driver::Handle last_handle_ = 0;
  std::uintptr_t last_event_ = 0;
  std::set<driver::Handle> handles_;
  std::map<driver::Address, Mapping> mappings_;
  std::map<driver::Address, Bytes> reservations_;
  std::map<driver::Event, Event> events_;
};

}  // namespace gmlake::testing
