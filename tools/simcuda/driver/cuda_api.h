// cuda.h with every function under its own ELF name.
//
// cuda.h renames most functions to their newest version by macros. __CUDA_API_VERSION_INTERNAL
// makes it take those macros back at its end and declare every version and every per-thread (_ptsz,
// _ptds) variant, which is what a library that defines them needs. Its declarations get default
// visibility here, so that a definition of one of them is exported and nothing else is.
#pragma once

#define __CUDA_API_VERSION_INTERNAL
#pragma GCC visibility push(default)
#include <cuda.h>
#pragma GCC visibility pop
