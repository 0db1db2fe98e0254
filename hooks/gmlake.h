/* The C API of libgmlake.so: what a program or plug-in that knows of gmlake may call. Plain C,
 * stable. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0 (revision)". Static storage. Thread-safe. */
const char* gmlake_version(void);

/* Gives free GPU memory of `device`'s pool back to the device, as long as the pool still owns
 * `keep_bytes` then; only memory that no work on the GPU may still use, so wait for that first.
 * Returns the bytes given back: 0 without a pool, or while a stream is being captured. Needs a
 * current context. Thread-safe. */
size_t gmlake_trim(int device, size_t keep_bytes);

/* Bytes of `device`'s pool: in blocks that are not freed, taken of the device, and the most that
 * either has been. */
struct gmlake_bytes {
  size_t live, peak_live;
  size_t physical, peak_physical;
};

/* Fills `*bytes`, with zeros where the device has no pool yet; whether it has. Thread-safe. */
int gmlake_memory(int device, struct gmlake_bytes* bytes);

/* The report as it is now, as the JSON that stats.json_file gets at exit (docs/statistics.md), with
 * a zero at its end. Gives its length without that; if `size` is not larger, nothing is written:
 * call again with room. 0: this process has no pool. Thread-safe. */
size_t gmlake_report(char* json, size_t size);

/* What the calling thread asks for from now on is for `name`, and reports say so
 * (stats.sample_bytes, docs/observability.md); NULL or "": for nothing in particular. Gives the
 * name that held before, or NULL, to be put back. Names are copied, and kept for good: some
 * thousands at most. Thread-safe. */
const char* gmlake_annotate(const char* name);

/* For allocator plug-ins, PyTorch's CUDAPluggableAllocator among them (docs/pytorch.md): memory of
 * the pool that also serves intercepted calls, whether the library is preloaded or opened by path.
 * Thread-safe. No context needs to be current; where the current one is not of `device`, the
 * device's primary context is used. `stream` is a cudaStream_t or CUstream of the device: a handle,
 * 0 or cudaStreamLegacy for the legacy default stream, cudaStreamPerThread for the thread's. */
struct CUstream_st;

/* `size` bytes, aligned to 512 or more. The caller's until gmlake_free; to be used on `stream`, or
 * on another behind an event of it. While `stream` captures, it is memory of the graph, as
 * cudaMallocAsync gives it. NULL for a `size` of 0, and on failure, which has been logged: no such
 * device or stream, or out of memory. */
void* gmlake_malloc(size_t size, int device, struct CUstream_st* stream);

/* The same, with the reason: 0 and the block in `*ptr`, or the CUresult of the failure, 2
 * (CUDA_ERROR_OUT_OF_MEMORY) among them, and NULL there. A `size` of 0 gives NULL and is none. */
int gmlake_allocate(void** ptr, size_t size, int device, struct CUstream_st* stream);

/* Takes back what gmlake_malloc gave, when `stream` has come to this point: whatever other streams
 * did with it must be ordered before, or recorded (gmlake_record_use). `size` is not looked at.
 * NULL is ignored; what is not gmlake_malloc's, or was freed before, is logged and left alone. */
void gmlake_free(void* ptr, size_t size, int device, struct CUstream_st* stream);

/* The block that starts at `ptr` is also used on `stream`, a stream of the context it was allocated
 * in, without an order that gmlake_free's stream is behind: when it is freed, it is not used again
 * before all work that this context has been given until then is over. Other pointers are
 * ignored. */
void gmlake_record_use(void* ptr, struct CUstream_st* stream);

#ifdef __cplusplus
}
#endif
