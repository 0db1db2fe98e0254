// A device that backs nothing: it hands out numbers, so that a figure is the pool's own, and counts
// what it was asked, so that a figure of hits can be seen to be one. All work is complete at once.
//
// It checks nothing; tests/pool/fake_device.h does. Thread-safe.
#pragma once

#include <atomic>

#include "driver/device.h"

namespace gmlake::bench {

class NullDevice final : public driver::Device {
 public:
  explicit NullDevice(Bytes memory) : memory_(memory) {}

  std::uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }

  Result<driver::Address> reserve(Bytes size) override {
    called();
    return next_address_.fetch_add(round_up(size, GiB) + GiB);
  }
  Status free_reservation(driver::Address, Bytes) override { return done(); }
  Result<driver::Handle> create(Bytes) override {
    called();
    return next_number_.fetch_add(1);
  }
  Status release(driver::Handle) override { return done(); }
  Status map(driver::Address, Bytes, driver::Handle) override { return done(); }
  Status unmap(driver::Address, Bytes) override { return done(); }
  Status set_access(driver::Address, Bytes) override { return done(); }
  Result<driver::MemoryInfo> memory_info() override {
    called();
    return driver::MemoryInfo{memory_, memory_};
  }

  Result<driver::Event> create_event(driver::Context) override {
    called();
    return reinterpret_cast<driver::Event>(next_number_.fetch_add(1));
  }
  Status destroy_event(driver::Event) override { return done(); }
  Status record_event(driver::Event, driver::Context, driver::Stream) override { return done(); }
  Status record_context(driver::Event, driver::Context, bool) override { return done(); }
  Result<bool> query(driver::Event) override {
    called();
    return true;
  }
  Status make_wait(driver::Stream, driver::Context, driver::Event) override { return {}; }
  Status wait(driver::Event) override { return done(); }
  Status wait_context(driver::Context) override { return done(); }
  void count(stats::DriverCallCount (&)[stats::kDriverCalls]) const override {}

 private:
  void called() { calls_.fetch_add(1, std::memory_order_relaxed); }
  Status done() {
    called();
    return {};
  }

  const Bytes memory_;
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<driver::Address> next_address_{TiB};
  std::atomic<std::uintptr_t> next_number_{1};
};

}  // namespace gmlake::bench
