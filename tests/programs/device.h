// The few CUDA calls the client programs make, under one set of names, so that one source builds
// against every way a real program reaches CUDA. CLIENT_API chooses: CLIENT_RUNTIME (cudart, shared
// or static), CLIENT_DRIVER (linked with -lcuda) or CLIENT_DLOPEN (dlopen of libcuda.so.1 and
// nothing else).
//
// Calls return CUDA's own number, 0 for success; cudaError and CUresult agree on those the clients
// look at (1 invalid value, 2 out of memory). Nothing here knows of gmlake.
#pragma once

#include <cstddef>

#define CLIENT_RUNTIME 1
#define CLIENT_DRIVER 2
#define CLIENT_DLOPEN 3

#ifndef CLIENT_API
#error "define CLIENT_API"
#elif CLIENT_API == CLIENT_RUNTIME
#include "device_runtime.h"
#else
#include "device_driver.h"
#endif
