// Makes a context current for the time of a scope: events and the default streams mean the current
// context's. The thread is not cancelled meanwhile.
#pragma once

#include "driver/driver_table.h"
#include "support/no_cancel.h"

namespace gmlake::driver {

class CurrentContext {
 public:
  CurrentContext(const DriverTable& driver, CUcontext context)
      : driver_(driver), result_(driver.cuCtxPushCurrent_v2_(context)) {}
  ~CurrentContext() {
    CUcontext old = nullptr;
    if (result_ == CUDA_SUCCESS) (void)driver_.cuCtxPopCurrent_v2_(&old);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

  // What the driver said. After an error what was current still is.
  CUresult result() const { return result_; }

 private:
  const NoCancel whole_;
  const DriverTable& driver_;
  const CUresult result_;
};

}  // namespace gmlake::driver
