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

/* What launches of that kernel read and write, for the checks of order: `accesses` is called within
 * each launch call, with the launch's arguments, and names every range by simcuda_kernel_access. A
 * kernel without one is taken to access nothing. The sizes are those of simcuda_register_kernel. */
SIMCUDA_API void simcuda_register_kernel_accesses(const char* name, simcuda_kernel accesses,
                                                  const size_t* argument_sizes,
                                                  unsigned argument_count);
SIMCUDA_API void simcuda_kernel_access(const void* at, size_t size, int write);

/* The program itself reads or writes memory that operations use, such as a pinned buffer. In a host
 * function it is that function's operation that does: what orders it is what orders the operation.
 */
SIMCUDA_API void simcuda_host_access(const void* at, size_t size, int write);

/* What the checks found so far (SIMCUDA_CHECKS). simcuda_finding copies the text of one, ended with
 * 0 and cut to `size`, and returns its length; 0 if there is none of that index: of many findings
 * of one kind only the first few are kept. */
SIMCUDA_API unsigned long long simcuda_findings(void);
SIMCUDA_API size_t simcuda_finding(unsigned long long index, char* text, size_t size);
/* Starts anew, after findings a test has provoked. */
SIMCUDA_API void simcuda_forget_findings(void);

/* Replaces the faults of SIMCUDA_FAULTS, in the same grammar; calls are counted from now on, and
 * NULL or "" ends them all. NULL if all is well, else what is wrong, for the calling thread to read
 * until its next call. */
SIMCUDA_API const char* simcuda_arm_faults(const char* faults);

/* Time that all calls so far would have taken on a real device, by the table of costs. */
SIMCUDA_API unsigned long long simcuda_modelled_ns(void);

/* Deterministic mode: what follows is drawn from this seed, as in a process that begins with it.
 * Nothing may be pending. Without that mode it does nothing. */
SIMCUDA_API void simcuda_reseed(unsigned long long seed);

/* From now on handles of destroyed events come back for new ones, as the real driver's may. Use of
 * a destroyed event is then found only as long as it has not. */
SIMCUDA_API void simcuda_recycle_events(void);

/* From now on handles of streams that ended with their context come back for new ones, as the real
 * driver's do. Use of such a stream is then found only as long as its handle has not. */
SIMCUDA_API void simcuda_recycle_streams(void);

/* `watch` is called at the beginning (returns 0) and at the end (1) of each call of the program's,
 * on the calling thread and with no lock of simcuda's held, so that a test can let other threads
 * make calls while this one is under way. NULL ends it. */
SIMCUDA_API void simcuda_watch_calls(void (*watch)(const char* function, int returns));

/* A host function for cuLaunchHostFunc that waits until the program calls simcuda_let_go with the
 * same `key`, once for each. In the deterministic mode the device goes on without it meanwhile, and
 * simcuda_let_go returns when the function is over, if it had begun. */
SIMCUDA_API void simcuda_wait_for_program(void* key);
SIMCUDA_API void simcuda_let_go(void* key);

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
