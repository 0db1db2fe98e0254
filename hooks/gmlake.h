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

#ifdef __cplusplus
}
#endif
