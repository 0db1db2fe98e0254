// The device as the pool of a program is given it: the driver's own, with the events recorded so
// that no stream capture of the program's is broken.
//
// An event on a context (cuCtxRecordEvent) breaks every capture there. While one is open, and where
// the driver has no such event (before 12.5), a stream of ours comes to wait for each of the
// program's streams in turn, and the event is recorded there. That is work in the legacy default
// stream, which puts an order between the program's blocking streams: only for a cudaFree, which
// natively waits for all of them. Some may be out of reach meanwhile: the legacy stream while a
// blocking stream captures, other threads' own default streams then. What can not be followed
// completely is refused with kind captured.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "driver/cuda_device.h"
#include "hooks/known_streams.h"
#include "hooks/recording.h"
#include "hooks/unknown_calls.h"
#include "support/ranked_mutex.h"

namespace gmlake::hooks {

class ProgramDevice final : public driver::CudaDevice {
 public:
  // `streams`: the program's, if all are seen, else null. Both must outlive the device.
  // `in_front`: the library is (Process::in_front).
  static Result<std::unique_ptr<ProgramDevice>> open(const driver::DriverTable& table, int ordinal,
                                                     bool in_front, const KnownStreams* streams);

  Status release(driver::Handle handle) override;
  Status record_event(driver::Event event, driver::Context context, driver::Stream stream) override;
  Status record_context(driver::Event event, driver::Context context, bool may_order) override;
  Result<bool> query(driver::Event event) override;
  Status wait(driver::Event event) override;
  Status wait_context(driver::Context context) override;
  void pace(driver::Pace& measured) override;
  bool only_legacy_stream(driver::Context context) const override;
  bool sees_work() const override { return streams_ && !may_be_unseen(Effect::work); }
  bool records_in_frees() const override { return in_front_; }
  bool captures() const override;

 private:
  ProgramDevice(const driver::DriverTable& table, int ordinal, bool in_front,
                const KnownStreams* streams)
      : CudaDevice(table, ordinal), ordinal_(ordinal), in_front_(in_front), streams_(streams) {}
  Status record_on_stream(driver::Event event, driver::Context context, driver::Stream stream);
  Status record_on_context(driver::Event event, driver::Context context, bool may_order);
  void note_fence(Action action, driver::Event event, driver::Context context,
                  std::optional<driver::Stream> stream) const;
  Status record_beside(driver::Event event, driver::Context context);
  Status come_behind_all(CUevent event, CUcontext context, CUstream join);
  bool come_behind(CUevent event, CUstream stream, CUstream join);
  bool is_capturing(CUstream stream) const;

  const int ordinal_;
  const bool in_front_;
  const KnownStreams* const streams_;
};

}  // namespace gmlake::hooks
