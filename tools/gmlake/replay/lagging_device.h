// The simulated device with work that takes time: what a stream was given is complete so many rows
// of the trace later, or once the host has waited for it, and not before.
//
// A trace says nothing of how long work takes, and simcuda's streams have none to do. So events are
// recorded on the device, for its counts, and whether they have fired is decided here. A host wait
// takes as long as the work it waits for.
//
// A recording says it (kRecorded): its rows name the events of the pool that was recorded and when
// they were found to have passed, and so how far each stream had come. What no row says is not
// complete yet. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <unordered_map>
#include <utility>

#include "driver/device.h"

namespace gmlake::replay {

class LaggingDevice final : public driver::Device {
 public:
  using Rows = std::uint64_t;
  static constexpr Rows kNever = std::numeric_limits<std::uint32_t>::max();  // unless waited for
  static constexpr Rows kRecorded = std::numeric_limits<Rows>::max();        // as the rows say
  // A stream as the pool names it, or the host: all streams of the context.
  using Lane = driver::Stream;
  static inline const Lane kHost = reinterpret_cast<Lane>(std::uintptr_t{1});

  LaggingDevice(driver::Device& device, Rows lag)
      : device_(device), recorded_(lag == kRecorded), lag_(recorded_ ? 0 : lag) {}
  bool is_recorded() const { return recorded_; }

  // The next row of the trace.
  void advance() { ++now_; }
  // The trace's own events, which the device never sees.
  void recorded(std::uint32_t event, Lane lane) { due(events_, event, lane); }
  void synchronize(std::uint32_t event) { wait_until(events_, event); }
  // The host has waited for all that the lane has been given.
  void complete(Lane lane) { wait_until({now_ + lag_, now_, lane}); }
  // Events of the pool that was recorded.
  void fence(std::uint32_t fence, Lane lane) {
    due(recorded_fences_, fence, lane);
    recorded_behind_.emplace(lane, now_);
  }
  void passed(std::uint32_t fence) { wait_until(recorded_fences_, fence); }
  // Who knows what was found out and measured when it was recorded, and is asked first.
  class Recorded {
   public:
    virtual void asked(driver::Event event) = 0;
    virtual void awaited(driver::Event event) = 0;
    virtual bool asks(driver::Event event) = 0;
    virtual bool looks(Lane lane) = 0;
    virtual bool follows(Lane lane) = 0;
    virtual void pace(driver::Pace& measured) = 0;

   protected:
    ~Recorded() = default;
  };
  void follow(Recorded* recorded) { said_ = recorded; }
  // Whether the event is behind the same as that one of the pool that was recorded.
  bool is_of(std::uint32_t fence, driver::Event event) const {
    const auto theirs = recorded_fences_.find(fence);
    const auto ours = fences_.find(event);
    return theirs != recorded_fences_.end() && ours != fences_.end() &&
           theirs->second.lane == ours->second.lane && theirs->second.made == ours->second.made;
  }

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
    due(fences_, event, stream);
    return device_.record_event(event, context, stream);
  }
  Status record_context(driver::Event event, driver::Context context, bool may_order) override {
    due(fences_, event, kHost);
    return device_.record_context(event, context, may_order);
  }
  gmlake::Result<bool> query(driver::Event event) override {
    auto answer = device_.query(event);
    if (said_) said_->asked(event);
    if (answer) answer = is_over(fences_[event]);
    return answer;
  }
  Status make_wait(driver::Stream stream, driver::Context context, driver::Event event) override {
    return device_.make_wait(stream, context, event);
  }
  Status wait(driver::Event event) override {
    if (said_) said_->awaited(event);
    wait_until(fences_, event);
    return device_.wait(event);
  }
  Status wait_context(driver::Context context) override {
    complete(kHost);
    return device_.wait_context(context);
  }
  bool follows(driver::Event before, bool would) override {
    const auto* const twin = twin_of(before);
    return twin ? said_->follows(twin->lane) : would;
  }
  bool looks(driver::Event front, bool would) override {
    const auto* const twin = twin_of(front);
    return twin ? said_->looks(twin->lane) : would;
  }
  bool asks(driver::Event event, bool would) override {
    return twin_of(event) ? said_->asks(event) : would;
  }
  void pace(driver::Pace& measured) override {
    if (said_) said_->pace(measured);
  }
  void count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const override {
    device_.count(out);
  }

 private:
  struct Due {
    Rows at = 0;    // when it fires
    Rows made = 0;  // behind what
    Lane lane = nullptr;
  };
  template <typename Name>
  using Events = std::unordered_map<Name, Due>;
  template <typename Name>
  void due(Events<Name>& events, Name name, Lane lane) {
    events[name] = {now_ + lag_, now_, lane};
  }
  template <typename Name>
  void wait_until(const Events<Name>& events, Name name) {
    if (const auto found = events.find(name); found != events.end()) wait_until(found->second);
  }
  void wait_until(const Due& event) {
    if (!recorded_) {
      now_ = std::max(now_, event.at);
      return;
    }
    auto& known = event.lane == kHost ? all_ : progress_[event.lane];
    known = std::max(known, event.made);
  }
  // The event, if the recorded pool had one behind the same.
  const Due* twin_of(driver::Event event) const {
    const auto own = fences_.find(event);
    const bool known = said_ && recorded_ && own != fences_.end() &&
                       recorded_behind_.count({own->second.lane, own->second.made}) != 0;
    return known ? &own->second : nullptr;
  }
  bool is_over(const Due& event) {
    if (!recorded_) return event.at <= now_;
    return event.made <= all_ || (event.lane != kHost && event.made <= progress_[event.lane]);
  }

  driver::Device& device_;
  const bool recorded_;
  const Rows lag_;
  Rows now_ = 0;
  Events<driver::Event> fences_;
  Events<std::uint32_t> events_, recorded_fences_;
  std::set<std::pair<Lane, Rows>> recorded_behind_;  // what those follow
  std::unordered_map<Lane, Rows> progress_;          // how far each has come, as far as it is known
  Rows all_ = 0;
  Recorded* said_ = nullptr;
};

}  // namespace gmlake::replay
