// A library that allocates by the runtime it is linked with. At -O2 each function is a tail jump:
// no return address of this library's own.
#include <stddef.h>

int cudaMalloc(void** out, size_t bytes);
int cudaFree(void* at);
int cudaGetLastError(void);
int cudaRuntimeGetVersion(int* version);

int plug_alloc(void** out, size_t bytes) {
  return cudaMalloc(out, bytes);
}
int plug_free(void* at) {
  return cudaFree(at);
}
int plug_last(void) {
  return cudaGetLastError();
}
int plug_version(int* version) {
  return cudaRuntimeGetVersion(version);
}

#ifdef EARLY
// Before anybody could know of the library, and by a pointer that is kept.
static int (*kept)(void**, size_t) = cudaMalloc;
__attribute__((constructor)) static void early(void) {
  void* at = NULL;
  int (*volatile call)(void**, size_t) = kept;
  if (call(&at, 3 << 20) == 0) cudaFree(at);
}
#endif
