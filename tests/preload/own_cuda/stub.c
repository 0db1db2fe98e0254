// An import stub: defines the functions of a library and opens it at the first call, as generators
// of such stubs do. REAL is the library's name.
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static void* real(const char* name) {
  static void* library;
  if (!library) library = dlopen(REAL, RTLD_NOW);
  void* found = library ? dlsym(library, name) : NULL;
  if (found) return found;
  printf("%s: %s\n", name, dlerror());
  exit(3);
}

#define STUB(name, parameters, arguments)                       \
  int name parameters {                                         \
    static int(*known) parameters;                              \
    if (!known) known = (int(*) parameters)(size_t)real(#name); \
    return known arguments;                                     \
  }

#ifdef DRIVER
STUB(cuInit, (unsigned flags), (flags))
STUB(cuDeviceGet, (int* device, int ordinal), (device, ordinal))
STUB(cuDevicePrimaryCtxRetain, (void** context, int device), (context, device))
STUB(cuCtxSetCurrent, (void* context), (context))
STUB(cuMemAlloc_v2, (unsigned long long* out, size_t bytes), (out, bytes))
STUB(cuMemFree_v2, (unsigned long long at), (at))
STUB(cuDriverGetVersion, (int* version), (version))
#else
STUB(cudaMalloc, (void** out, size_t bytes), (out, bytes))
STUB(cudaFree, (void* at), (at))
STUB(cudaGetLastError, (void), ())
STUB(cudaRuntimeGetVersion, (int* version), (version))
#endif
