#include "hooks/ipc_memory.h"

#include <array>
#include <cstdint>

#include "driver/current_context.h"
#include "hooks/captures.h"

namespace gmlake::hooks {
namespace {

constexpr auto kFile = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

// Called only where there is one.
const driver::DriverTable& table() {
  return real_driver()->table;
}

CUresult allow(driver::Address at, Bytes bytes, driver::Handle handle) {
  const auto& driver = table();
  CUdevice device = 0;
  if (const auto failed = driver.cuCtxGetDevice_(&device)) return failed;
  std::array<CUmemAccessDesc, 2> access{};
  for (auto& one : access) {
    one.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
    one.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  }
  // The device whose memory it is, where that is another that this process sees.
  CUmemAllocationProp properties{};
  if (driver.cuMemGetAllocationPropertiesFromHandle_ &&
      driver.cuMemGetAllocationPropertiesFromHandle_(&properties, handle) == CUDA_SUCCESS &&
      properties.location.id != device) {
    access[1].location = properties.location;
    if (driver.cuMemSetAccess_(at, bytes, access.data(), 2) == CUDA_SUCCESS) return CUDA_SUCCESS;
  }
  return driver.cuMemSetAccess_(at, bytes, access.data(), 1);
}

}  // namespace

bool DriverMemory::supported(const driver::DriverTable& table) {
  return table.cuMemExportToShareableHandle_ && table.cuMemImportFromShareableHandle_;
}

Result<int> DriverMemory::export_handle(driver::Handle handle) {
  int descriptor = -1;
  if (const auto failed = table().cuMemExportToShareableHandle_(&descriptor, handle, kFile, 0))
    return fail(failed, "cuMemExportToShareableHandle");
  return descriptor;
}

Result<driver::Handle> DriverMemory::import_handle(int descriptor) {
  CUmemGenericAllocationHandle handle = 0;
  auto* const as_pointer = reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor));
  if (const auto failed = table().cuMemImportFromShareableHandle_(&handle, as_pointer, kFile))
    return fail(failed, "cuMemImportFromShareableHandle");
  return handle;
}

void DriverMemory::release(driver::Handle handle) {
  (void)table().cuMemRelease_(handle);
}

Result<driver::Address> DriverMemory::map(const std::vector<driver::Physical>& handles) {
  const auto& driver = table();
  const RelaxedCapture relaxed(driver);
  Bytes bytes = 0;
  for (const auto& one : handles) bytes += one.size;
  CUdeviceptr at = 0;
  if (const auto failed = driver.cuMemAddressReserve_(&at, bytes, 0, 0, 0))
    return fail(failed, "cuMemAddressReserve");
  Bytes mapped = 0;
  const auto give_up = [&](CUresult failed, const char* what) {
    if (mapped != 0) (void)driver.cuMemUnmap_(at, mapped);
    (void)driver.cuMemAddressFree_(at, bytes);
    return fail(failed, what);
  };
  for (const auto& one : handles) {
    if (const auto failed = driver.cuMemMap_(at + mapped, one.size, 0, one.handle, 0))
      return give_up(failed, "cuMemMap");
    mapped += one.size;
  }
  if (const auto failed = allow(at, bytes, handles.front().handle))
    return give_up(failed, "cuMemSetAccess");
  return at;
}

void DriverMemory::unmap(driver::Address at, Bytes bytes) {
  (void)table().cuMemUnmap_(at, bytes);
  (void)table().cuMemAddressFree_(at, bytes);
}

// A wait breaks a capture: what is closed beside one is used by nothing that has been given since.
void DriverMemory::wait(driver::Context context) {
  if (capture_under_way()) return;
  const RelaxedCapture relaxed(table());
  const driver::CurrentContext current(table(), static_cast<CUcontext>(context));
  if (current.result() == CUDA_SUCCESS) (void)table().cuCtxSynchronize_();
}

}  // namespace gmlake::hooks
