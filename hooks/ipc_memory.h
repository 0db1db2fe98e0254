// ipc::Memory over the real driver: handles by POSIX file descriptor.
#pragma once

#include "hooks/real.h"
#include "ipc/memory.h"

namespace gmlake::hooks {

class DriverMemory final : public ipc::Memory {
 public:
  // Whether the driver has what it takes.
  static bool supported(const driver::DriverTable& table);

  Result<int> export_handle(driver::Handle handle) override;
  Result<driver::Handle> import_handle(int descriptor) override;
  void release(driver::Handle handle) override;
  Result<driver::Address> map(const std::vector<driver::Physical>& handles) override;
  void unmap(driver::Address at, Bytes bytes) override;
  void wait(driver::Context context) override;
};

}  // namespace gmlake::hooks
