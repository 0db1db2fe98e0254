#!/usr/bin/env bash
# memray does not see a malloc that is called through ctypes.
#
# Expected: memray says that it follows every call of the C allocator in the process, so 100 MiB from
#   ctypes.CDLL(None).malloc are in its peak like 100 MiB from anybody else.
# Happened: the peak stays below 1 MiB. memray rewrites the entries through which a loaded object calls malloc (its
#   global offset table). ctypes asks dlsym for the address and calls it; no such entry takes part. The same 100 MiB
#   called from NumPy are counted.
# Versions: memray 1.20.0, NumPy 2.4.6, CPython 3.11 on x86-64 Linux with glibc 2.36.
# Matters: bindings of GPU libraries are often ctypes, and host callbacks of allocators in them too (staging buffers,
#   a host-side memory resource). "memray shows no growth" does not acquit them. A library that is preloaded and
#   forwards to a malloc it got from dlsym is the same case.
# Source of the expectation: memray's front page, which says that native code is followed as well as Python, and that
#   every function call is traced rather than sampled.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q memray==1.20.0 numpy==2.4.6
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import ctypes, importlib.metadata, sys
import memray, numpy

MiB = 1 << 20
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def through_ctypes():
    block = libc.malloc(100 * MiB)
    ctypes.memset(block, 1, 100 * MiB)
    libc.free(block)

def through_numpy():
    numpy.ones(100 * MiB, numpy.uint8)

def peak(work):
    name = work.__name__ + ".bin"
    with memray.Tracker(name):
        work()
    return memray.FileReader(name).metadata.peak_memory / MiB

print("memray", importlib.metadata.version("memray"))
by_numpy, by_ctypes = peak(through_numpy), peak(through_ctypes)
print(f"peak, 100 MiB by NumPy:  {by_numpy:6.1f} MiB")
print(f"peak, 100 MiB by ctypes: {by_ctypes:6.1f} MiB")
sys.exit(0 if by_numpy >= 100 and by_ctypes < 1 else 1)
PY
