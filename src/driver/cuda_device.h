// driver::Device over the real driver functions, for one GPU. Every call's result is checked and
// counted.
//
// Thread-safe: holds no state but the counts, which are atomic. Memory is pinned device memory;
// where the device has them, it carries the properties cuMemAlloc memory has natively (GPUDirect
// RDMA, hardware decompression).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>

#include "driver/device.h"
#include "driver/driver_table.h"
#include "stats/records.h"
#include "support/no_cancel.h"

namespace gmlake::driver {

class CudaDevice : public Device {
 public:
  // `table` must outlive the device. The driver must have been initialised (cuInit).
  static Result<std::unique_ptr<CudaDevice>> open(const DriverTable& table, int ordinal);
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  Result<Address> reserve(Bytes size) override;
  Status free_reservation(Address at, Bytes size) override;
  Result<Handle> create(Bytes size) override;
  Status release(Handle handle) override;
  Status map(Address at, Bytes size, Handle handle) override;
  Status unmap(Address at, Bytes size) override;
  Status set_access(Address at, Bytes size) override;
  Status set_peer_access(Address at, Bytes size, int device, bool may) override;
  Result<MemoryInfo> memory_info() override;

  Result<Event> create_event(Context context) override;
  Status destroy_event(Event event) override;
  Status record_event(Event event, Context context, Stream stream) override;
  Status record_context(Event event, Context context, bool may_order) override;
  Result<bool> query(Event event) override;
  Status make_wait(Stream stream, Context context, Event event) override;
  Status wait(Event event) override;
  Status wait_context(Context context) override;

  Bytes granularity() const { return granularity_; }
  void count_in(Tallies& where) override;
  void count(stats::DriverCallCount (&out)[stats::kDriverCalls]) const override;

 protected:
  CudaDevice(const DriverTable& table, int ordinal);
  // Asks what the device has. Before anything else.
  Status prepare();
  // Calls, times, counts.
  template <typename Function, typename... Args>
  CUresult call(stats::DriverCall which, Function function, Args... args) {
    const NoCancel whole;
    const auto start = std::chrono::steady_clock::now();
    const CUresult result = function(args...);
    const auto spent = std::chrono::steady_clock::now() - start;
    auto& count = (*counts_)[static_cast<unsigned>(which)];
    count.calls.fetch_add(1, std::memory_order_relaxed);
    count.nanoseconds.fetch_add(
        static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count()),
        std::memory_order_relaxed);
    if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY)
      count.failures.fetch_add(1, std::memory_order_relaxed);
    return result;
  }

  const DriverTable& driver_;

 private:
  Result<MemoryInfo> ask_memory();

  CUmemAllocationProp properties_{};  // const once it is prepared
  CUmemAccessDesc access_{};
  Bytes granularity_ = 0;
  Tallies own_counts_;
  Tallies* counts_ = &own_counts_;
};

}  // namespace gmlake::driver
