#!/usr/bin/env bash
# RMM says MemoryError where there is no CUDA driver at all: the program takes it for "out of memory".
#
# Expected: an allocation from rmm.mr.CudaMemoryResource on a machine without a driver raises RMM's CUDA error, as
#   DeviceBuffer does, and MemoryError is left to memory that ran out.
# Happened: it raises MemoryError. In C++ every failure of cudaMalloc becomes rmm::bad_alloc, which is a std::bad_alloc;
#   that of memory running out is a class below it; in Python both are MemoryError. The same machine gives
#   CUDARuntimeError for DeviceBuffer and RuntimeError for CudaAsyncMemoryResource.
# Versions: rmm-cu12 26.10.0, CPython 3.11. Only on machines without NVIDIA's driver (builders, containers started without
#   GPUs); elsewhere this exits with 77.
# Matters: "except MemoryError: spill and try again" is what one writes around RMM. With a driver that is missing, too old or
#   has lost its device, that spills everything and tries for ever, and the cause is in the text of the exception only.
# Source of the expectation: RMM's C++ reference has an exception of its own for memory that ran out, apart from that for
#   other failures of an allocation; Python's MemoryError is documented as running out of memory.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
if python3 -c 'import ctypes; ctypes.CDLL("libcuda.so.1")' 2>/dev/null; then
    echo "skipped: this machine has NVIDIA's driver"
    exit 77
fi
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q rmm-cu12==26.10.0
"$dir/venv/bin/python" - <<'PY'
import sys
import rmm, rmm.mr

print("rmm", rmm.__version__)

def raised(name, call):
    try:
        call()
    except Exception as error:
        print(f"{name:24}{type(error).__name__:18}{str(error).split(' at: ')[0][:70]} ... {str(error)[-60:]}")
        return type(error).__name__
    return None

kinds = [raised("CudaMemoryResource", lambda: rmm.mr.CudaMemoryResource().allocate(1024)),
         raised("CudaAsyncMemoryResource", lambda: rmm.mr.CudaAsyncMemoryResource()),
         raised("DeviceBuffer", lambda: rmm.DeviceBuffer(size=1024))]
sys.exit(0 if kinds == ["MemoryError", "RuntimeError", "CUDARuntimeError"] else 1)
PY
