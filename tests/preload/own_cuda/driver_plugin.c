// A library that allocates by the driver API it is linked with, behind the functions of plugin.c.
#include <stddef.h>

int cuInit(unsigned flags);
int cuDeviceGet(int* device, int ordinal);
int cuDevicePrimaryCtxRetain(void** context, int device);
int cuCtxSetCurrent(void* context);
int cuMemAlloc_v2(unsigned long long* out, size_t bytes);
int cuMemFree_v2(unsigned long long at);
int cuDriverGetVersion(int* version);

int plug_alloc(void** out, size_t bytes) {
  void* context = NULL;
  int device = 0;
  cuInit(0);
  cuDeviceGet(&device, 0);
  cuDevicePrimaryCtxRetain(&context, device);
  cuCtxSetCurrent(context);
  return cuMemAlloc_v2((unsigned long long*)out, bytes);
}
int plug_free(void* at) {
  return cuMemFree_v2((unsigned long long)at);
}
int plug_last(void) {
  return 0;
}
int plug_version(int* version) {
  return cuDriverGetVersion(version);
}
