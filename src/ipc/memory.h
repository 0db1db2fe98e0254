// What sharing needs of the driver, handed in from above. Calls may come from any thread, and are
// made with no lock that anybody but a caller of this folder waits for.
#pragma once

#include <vector>

#include "driver/device.h"

namespace gmlake::ipc {

class Memory {
 public:
  virtual ~Memory() = default;

  // A descriptor of the caller's for a handle, and the other way round.
  virtual Result<int> export_handle(driver::Handle handle) = 0;
  virtual Result<driver::Handle> import_handle(int descriptor) = 0;
  virtual void release(driver::Handle handle) = 0;
  // Maps them side by side, for the device of the calling thread's context and their own to use.
  virtual Result<driver::Address> map(const std::vector<driver::Physical>& handles) = 0;
  // No work may use it any more.
  virtual void unmap(driver::Address at, Bytes bytes) = 0;
  // Waits for the work of the context, as the driver does before it unmaps.
  virtual void wait(driver::Context context) = 0;
};

}  // namespace gmlake::ipc
