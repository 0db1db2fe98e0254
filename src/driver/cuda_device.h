// driver::Device over the real driver functions, for one GPU. Every call's result is checked and
// counted.
//
// Thread-safe: holds no state but the counts, which are atomic. Memory is pinned device memory;
// where the device has them, it carries the properties cuMemAlloc memory has natively (GPUDirect
// RDMA, hardware decompression).
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "driver/device.h"
#include "driver/driver_table.h"
#include "driver/known_streams.h"
#include "stats/counters.h"

namespace gmlake::driver {

class CudaDevice final : public Device {
 public:
  // `table` must outlive the device. The driver must have been initialised (cuInit).
  static Result<std::unique_ptr<CudaDevice>> open(const DriverTable& table, int ordinal);
  // The program's streams, if they are known. They must outlive the device.
  void know(const KnownStreams* streams) { streams_ = streams; }

  Result<Address> reserve(Bytes size) override;
  Status free_reservation(Address at, Bytes size) override;
  Result<Handle> create(Bytes size) override;
  Status release(Handle handle) override;
  Status map(Address at, Bytes size, Handle handle) override;
  Status unmap(Address at, Bytes size) override;
  Status set_access(Address at, Bytes size) override;
  Result<MemoryInfo> memory_info() override;

  Result<Event> create_event(Context context) override;
  Status destroy_event(Event event) override;
  Status record(Event event, Context context, Stream stream) override;
  Status record_context(Event event, Context context) override;
  Result<bool> query(Event event) override;
  Status make_wait(Stream stream, Context context, Event event) override;
  Status wait(Event event) override;
  Status wait_context(Context context) override;

  bool only_legacy_stream(Context context) const override {
    return streams_ && streams_->only_legacy(context);
  }

  Bytes granularity() const { return granularity_; }
  void count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const override;

 private:
  CudaDevice(const DriverTable& table, int ordinal);
  Status record_all(Event event, Context context);
  // Calls, times, counts.
  template <typename Function, typename... Args>
  CUresult call(stats::DriverCall which, Function function, Args... args);

  struct Count {
    std::atomic<std::uint64_t> calls{0}, nanoseconds{0}, failures{0};
  };
  const DriverTable& driver_;
  const KnownStreams* streams_ = nullptr;
  CUmemAllocationProp properties_{};
  CUmemAccessDesc access_{};
  Bytes granularity_ = 0;
  std::array<Count, stats::kDriverCalls> counts_;
};

}  // namespace gmlake::driver
