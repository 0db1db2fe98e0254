"""Imports one of the wheels and asks it for what it knows of CUDA. Each answer is a line, an error is one too.

usage: wheel.py cumm|cuda_bindings|cupy|taichi
"""

import ctypes
import sys
from pathlib import Path

MIB = 1 << 20


def say(what, ask, *arguments):
    try:
        print(f"{what}: {ask(*arguments)}", flush=True)
    except Exception as error:  # whatever it is, it is to be the same
        print(f"{what}: {type(error).__name__} {error}", flush=True)


def number(function):
    value = ctypes.c_int(-1)
    return function(ctypes.byref(value)), value.value


def cumm():
    from cumm import tensorview

    say("tensor", lambda: tensorview.zeros([16], tensorview.float32, 0).shape)
    maps = Path("/proc/self/maps").read_text().split()
    for path in sorted({word for word in maps if "/libcudart" in word}):
        print("runtime", Path(path).name)
        runtime = ctypes.CDLL(path)
        say("runtime's version", number, runtime.cudaRuntimeGetVersion)
        say("driver's version", number, runtime.cudaDriverGetVersion)
        block = ctypes.c_void_p()
        say("allocate", runtime.cudaMalloc, ctypes.byref(block), ctypes.c_size_t(MIB))
        say("last error", runtime.cudaGetLastError)
        say("wrong pointer", runtime.cudaFree, ctypes.c_void_p(0x1234000))
        say("last error", runtime.cudaGetLastError)


def cuda_bindings():
    """Those of CUDA 12 and of CUDA 13 in one process, each with its own runtime."""
    older = str(Path(sys.prefix) / "cuda_12")
    sys.path.insert(0, older)
    for _ in range(2):
        for name in [name for name in sys.modules if name == "cuda" or name.startswith("cuda.")]:
            del sys.modules[name]
        from cuda.bindings import driver, runtime

        print(Path(driver.__file__).relative_to(sys.prefix))
        say("initialise", driver.cuInit, 0)
        say("driver's version", driver.cuDriverGetVersion)
        say("runtime's version", runtime.cudaRuntimeGetVersion)
        say("driver's version by the runtime", runtime.cudaDriverGetVersion)
        say("devices", runtime.cudaGetDeviceCount)
        say("allocate", lambda: runtime.cudaMalloc(MIB)[0])
        say("last error", runtime.cudaGetLastError)
        say("too much", runtime.cudaMalloc, 1 << 50)
        say("last error", runtime.cudaGetLastError)
        say("wrong pointer", runtime.cudaFree, 0x1234000)
        say("last error", runtime.cudaGetLastError)
        if older in sys.path:
            sys.path.remove(older)


def cupy():
    from cupy_backends.cuda.api import driver, runtime

    say("built with", driver.get_build_version)
    say("runtime's version", runtime.runtimeGetVersion)
    say("driver's version", runtime.driverGetVersion)
    say("devices", runtime.getDeviceCount)
    say("allocate", lambda: runtime.malloc(MIB) != 0)
    say("too much", runtime.malloc, 1 << 50)
    say("wrong pointer", runtime.free, 0x1234000)


def taichi():
    import taichi

    taichi.init(arch=taichi.cuda, log_level="error")
    say("runs on", lambda: taichi.cfg.arch)
    say("driver's version", number, ctypes.CDLL("libcuda.so.1").cuDriverGetVersion)


if __name__ == "__main__":
    {"cumm": cumm, "cuda_bindings": cuda_bindings, "cupy": cupy, "taichi": taichi}[sys.argv[1]]()
