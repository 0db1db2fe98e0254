// The simulated CUDA device that replay runs on: simcuda's libcuda.so.1, loaded by path, without
// backing store.
//
// One per process: its driver reads the memory size once, when it is loaded.
#pragma once

#include <memory>
#include <string>

#include "driver/cuda_device.h"
#include "pool/device_pool.h"
#include "trace/trace.h"

namespace gmlake::replay {

class SimulatedDevice {
 public:
  // The error names the library, what failed and what to do.
  static trace::Expected<std::unique_ptr<SimulatedDevice>> open(const std::string& library,
                                                                Bytes memory);
  // Where the build and the installation put the library, seen from this executable.
  static std::string default_library();

  // The same device with its counts at zero.
  trace::Expected<std::unique_ptr<driver::CudaDevice>> fresh() const;

  // What all driver calls so far would have taken on a real device, by simcuda's table of costs.
  std::uint64_t modelled_nanoseconds() const { return modelled_ns_(); }

  // A stream of the device for each stream of a trace, in order, destroyed with the Streams.
  class Streams {
   public:
    explicit Streams(const SimulatedDevice& device) : device_(device) {}
    ~Streams();
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;
    // `blocking`: the legacy default stream waits for it.
    trace::Expected<void> add(std::uint64_t name, bool blocking = false);
    const pool::Origin& operator[](std::size_t index) const { return origins_[index]; }

   private:
    const SimulatedDevice& device_;
    std::vector<pool::Origin> origins_;
  };

 private:
  SimulatedDevice() = default;

  driver::DriverTable table_;
  CUcontext context_ = nullptr;
  CUresult (*stream_create_)(CUstream*, unsigned) = nullptr;
  CUresult (*stream_destroy_)(CUstream) = nullptr;
  unsigned long long (*modelled_ns_)() = nullptr;
};

}  // namespace gmlake::replay
