// What the pool of a recording did for its process and found out of the GPU, told to the pool that
// replays it as it gets there: each question that both put has the answer it had, and each plan
// goes by what was measured then. Where the two part, what is known of the streams' progress
// counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pool/device_pool.h"
#include "replay/lagging_device.h"
#include "replay/simulated_device.h"
#include "trace/trace.h"

namespace gmlake::replay {

class RecordedPool final : private LaggingDevice::Recorded {
 public:
  RecordedPool(const trace::Trace& trace, const SimulatedDevice::Streams& streams,
               LaggingDevice& device, pool::DevicePool& pool)
      : trace_(trace), streams_(streams), device_(device), pool_(pool) {}
  ~RecordedPool() { device_.follow(nullptr); }
  RecordedPool(const RecordedPool&) = delete;
  RecordedPool& operator=(const RecordedPool&) = delete;

  // From the trace's first row on.
  void begin();
  // The row at that position is about to be replayed, and has been. What the pool did for an
  // allocation stands before it, what it did for others behind.
  void before(std::size_t position);
  void after();

 private:
  void asked(driver::Event event) override;
  void awaited(driver::Event event) override;
  bool asks(driver::Event event) override;
  bool looks(LaggingDevice::Lane lane) override;
  bool follows(LaggingDevice::Lane lane) override;
  void pace(driver::Pace& measured) override;

  bool has_pace() const;  // for this row
  std::size_t known_end() const;
  bool has(trace::Kind kind, LaggingDevice::Lane lane) const;
  LaggingDevice::Lane lane_of(const trace::Event& event) const;
  void learn(const trace::Event& event);
  void learn_next(trace::Kind kind, driver::Event event);
  void learn_to(std::size_t end);
  void learn_all();
  void give_work();

  const trace::Trace& trace_;
  const SimulatedDevice::Streams& streams_;
  LaggingDevice& device_;
  pool::DevicePool& pool_;
  std::size_t position_ = 0, end_ = 0;  // the row, and the last that is about it
  std::size_t learnt_ = 0, paces_ = 0;  // of the trace's, known by now
  bool gives_work_ = false;
  std::vector<std::uint16_t> worked_;  // streams that had work, which the pool is to hear of
};

}  // namespace gmlake::replay
