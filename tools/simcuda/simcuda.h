/* What a test may ask of the simulated device, and tell it. Exported from simcuda's libcuda.so.1,
 * beside the driver API: link against it, or dlsym these names on the handle of that library.
 *
 * Thread-safe. Nothing here needs cuInit. Sizes are bytes. Strings and arrays are copied. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIMCUDA_API __attribute__((visibility("default")))

typedef struct simcuda_dim3 {
  unsigned x, y, z;
} simcuda_dim3;

/* A kernel as a host function: called once per launch, on one of the device's threads, when the
 * launch's turn in its stream comes. `arguments[i]` points to a copy of the i-th argument. It must
 * not call CUDA. */
typedef void (*simcuda_kernel)(simcuda_dim3 grid, simcuda_dim3 block, void** arguments);

/* From now on launches of the kernel called `name` (the mangled name, "_Z3addPfi") run `kernel`.
 * Its parameters have the given sizes. NULL for `kernel` takes the registration back. Kernels
 * without one are counted and not executed; with SIMCUDA_BACKING=none none is executed. */
SIMCUDA_API void simcuda_register_kernel(const char* name, simcuda_kernel kernel,
                                         const size_t* argument_sizes, unsigned argument_count);

/* Launches of that kernel so far, executed or not. */
SIMCUDA_API unsigned long long simcuda_launch_count(const char* name);

/* Calls of the driver function of that exact name ("cuMemAlloc_v2") so far, failed ones included; 0
 * for a name that is not exported. */
SIMCUDA_API unsigned long long simcuda_call_count(const char* name);

/* Physical memory taken on all devices, now and at most, in whole 4 KiB pages. */
SIMCUDA_API unsigned long long simcuda_physical_bytes(void);
SIMCUDA_API unsigned long long simcuda_peak_physical_bytes(void);

/* Mappings made by cuMemMap and not yet unmapped. */
SIMCUDA_API unsigned long long simcuda_mappings(void);

#ifdef __cplusplus
}
#endif
