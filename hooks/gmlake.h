/* The C API of libgmlake.so: what a program or plug-in that knows of gmlake may call. Plain C,
 * stable. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0 (revision)". Static storage. Thread-safe. */
const char* gmlake_version(void);

#ifdef __cplusplus
}
#endif
