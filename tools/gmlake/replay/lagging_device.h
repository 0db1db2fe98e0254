// The simulated device with work that takes time: what a stream was given is complete so many rows
// of the trace later, or once the host has waited for it, and not before.
//
// A trace says nothing of how long work takes, and simcuda's streams have none to do. So events are
// recorded on the device, for its counts, and whether they have fired is decided here. A host wait
// takes as long as the work it waits for. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <unordered_map>

#include "driver/device.h"

namespace gmlake::replay {

class LaggingDevice final : public driver::Device {
 public:
  using Rows = std::uint64_t;
  static constexpr Rows kNever = std::numeric_limits<std::uint32_t>::max();  // unless waited for

  LaggingDevice(driver::Device& device, Rows lag) : device_(device), lag_(lag) {}

  // The next row of the trace.
  void advance() { ++now_; }
  // The trace's own events, which the device never sees.
  void recorded(std::uint32_t event) { due(events_, event); }
  void synchronize(std::uint32_t event) { wait_until(events_, event); }

  gmlake::Result<driver::Address> reserve(Bytes size) override { return device_.reserve(size); }
  Status free_reservation(driver::Address at, Bytes size) override {
    return device_.free_reservation(at, size);
  }
  gmlake::Result<driver::Handle> create(Bytes size) override { return device_.create(size); }
  Status release(driver::Handle handle) override { return device_.release(handle); }
  Status map(driver::Address at, Bytes size, driver::Handle handle) override {
    return device_.map(at, size, handle);
  }
  Status unmap(driver::Address at, Bytes size) override { return device_.unmap(at, size); }
  Status set_access(driver::Address at, Bytes size) override {
    return device_.set_access(at, size);
  }
  gmlake::Result<driver::MemoryInfo> memory_info() override { return device_.memory_info(); }

  gmlake::Result<driver::Event> create_event(driver::Context context) override {
    return device_.create_event(context);
  }
  Status destroy_event(driver::Event event) override { return device_.destroy_event(event); }
  Status record_event(driver::Event event, driver::Context context,
                      driver::Stream stream) override {
    due(fences_, event);
    return device_.record_event(event, context, stream);
  }
  Status record_context(driver::Event event, driver::Context context, bool may_order) override {
    due(fences_, event);
    return device_.record_context(event, context, may_order);
  }
  gmlake::Result<bool> query(driver::Event event) override {
    auto answer = device_.query(event);
    if (answer) answer = fences_[event] <= now_;
    return answer;
  }
  Status make_wait(driver::Stream stream, driver::Context context, driver::Event event) override {
    return device_.make_wait(stream, context, event);
  }
  Status wait(driver::Event event) override {
    wait_until(fences_, event);
    return device_.wait(event);
  }
  Status wait_context(driver::Context context) override {
    now_ += lag_;
    return device_.wait_context(context);
  }
  void count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const override {
    device_.count(out);
  }

 private:
  // When they fire.
  template <typename Name>
  using Events = std::unordered_map<Name, Rows>;
  template <typename Name>
  void due(Events<Name>& events, Name name) {
    events[name] = now_ + lag_;
  }
  template <typename Name>
  void wait_until(const Events<Name>& events, Name name) {
    if (const auto found = events.find(name); found != events.end())
      now_ = std::max(now_, found->second);
  }

  driver::Device& device_;
  const Rows lag_;
  Rows now_ = 0;
  Events<driver::Event> fences_;
  Events<std::uint32_t> events_;
};

}  // namespace gmlake::replay
