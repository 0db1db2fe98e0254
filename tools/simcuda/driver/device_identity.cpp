// What a device is called: its name, its UUID and its place on the bus.
#include <cstdio>
#include <cstring>

#include "context.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

CUresult uuid(CUuuid* result, CUdevice device) {
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  std::memcpy(result->bytes, "simcuda-device-", 15);
  result->bytes[15] = static_cast<char>('0' + device);
  return CUDA_SUCCESS;
}

// "[domain]:[bus]:[device].[function]", "[domain]:[bus]:[device]" or "[bus]:[device].[function]",
// all hexadecimal.
bool parse_place(const char* id, unsigned (&place)[4]) {
  // No signs, blanks or prefixes, which sscanf would take.
  if (std::strspn(id, "0123456789abcdefABCDEF:.") != std::strlen(id)) return false;
  int end = 0;
  const auto whole = [&](int read, int wanted) { return read == wanted && id[end] == '\0'; };
  auto& [domain, bus, slot, function] = place;
  if (whole(std::sscanf(id, "%x:%x:%x.%x%n", &domain, &bus, &slot, &function, &end), 4))
    return true;
  function = 0;
  if (whole(std::sscanf(id, "%x:%x:%x%n", &domain, &bus, &slot, &end), 3)) return true;
  domain = 0;
  return whole(std::sscanf(id, "%x:%x.%x%n", &bus, &slot, &function, &end), 3);
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  SIM_ENTER();
  if (name == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  std::snprintf(name, static_cast<size_t>(length), "simcuda %d", device);
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid* result, CUdevice device) {
  SIM_ENTER();
  return uuid(result, device);
}
CUresult cuDeviceGetUuid_v2(CUuuid* result, CUdevice device) {
  SIM_ENTER();
  return uuid(result, device);
}
CUresult cuDeviceGetPCIBusId(char* id, int length, CUdevice device) {
  SIM_ENTER();
  if (id == nullptr || length < 13) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  std::snprintf(id, static_cast<size_t>(length), "0000:%02x:00.0", device + 1);
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetByPCIBusId(CUdevice* device, const char* id) {
  SIM_ENTER();
  unsigned place[4] = {};
  if (device == nullptr || id == nullptr || !parse_place(id, place))
    return CUDA_ERROR_INVALID_VALUE;
  const auto& [domain, bus, slot, function] = place;
  const auto found = static_cast<CUdevice>(bus) - 1;
  if (domain != 0 || slot != 0 || function != 0) return CUDA_ERROR_INVALID_DEVICE;
  if (const CUresult bad = check_device(found)) return bad;
  *device = found;
  return CUDA_SUCCESS;
}
