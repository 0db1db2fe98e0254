"""CuPy, Numba or RMM with its own memory or with gmlake's: kernels on arrays of many sizes, two streams, out of memory and what comes
after. Prints JSON: `answers` must be the same whoever serves; `served` and `left` are bytes of gmlake's in use while all lives and then.

    other_frameworks.py native|gmlake cupy|numba|rmm
"""

import gc
import importlib
import json
import random
import sys

STEPS = 20
TOO_MUCH = 1 << 45


def cupy(live):
    import cupy_steps

    cp = cupy_steps.cupy
    pick, state, side = random.Random(1), cp.random.RandomState(2), cp.cuda.Stream(non_blocking=True)
    kept, results = [], []
    for step in range(STEPS):
        with side if step % 2 else cp.cuda.Stream.null:
            results.append(cupy_steps.step(pick, state))
            kept.append(cp.full(pick.randint(1, 1 << 22), step, dtype=cp.float32))
    side.synchronize()
    results += [float(array.sum(dtype=cp.float64)) for array in kept]
    served = live()
    try:
        cp.empty(TOO_MUCH, dtype=cp.uint8)
    except MemoryError as error:  # CuPy's own is one, and RMM's as CuPy's allocator is no other
        results.append(type(error).__name__)
    results.append(float(cp.ones(1 << 20).sum()))
    cp.cuda.Device().synchronize()
    return results, served


def numba(live):
    import numpy
    from numba import cuda

    @cuda.jit
    def add_scaled(out, a, b, scale):
        i = cuda.grid(1)
        if i < out.size:
            out[i] = a[i] + scale * b[i]

    pick, side = random.Random(3), cuda.stream()
    kept, results = [], []
    for step in range(STEPS):
        stream = side if step % 2 else cuda.default_stream()
        source = numpy.arange(pick.randint(1, 1 << 20), dtype=numpy.float32)
        a, b = cuda.to_device(source, stream=stream), cuda.to_device(source[::-1].copy(), stream=stream)
        out = cuda.device_array_like(a, stream=stream)
        add_scaled[(source.size + 255) // 256, 256, stream](out, a, b, numpy.float32(step))
        stream.synchronize()
        kept.append(out)
    results += [float(array.copy_to_host().sum(dtype=numpy.float64)) for array in kept]
    results.append(kept[-1][5:1000].copy_to_host()[0].item())  # a view
    free, total = cuda.current_context().get_memory_info()
    results.append(0 < free < total)
    served = live()
    try:
        cuda.device_array(TOO_MUCH, dtype=numpy.uint8)
    except cuda.cudadrv.driver.CudaAPIError as error:
        results.append(f"{type(error).__name__} {int(error.code)}")
    again = cuda.to_device(numpy.ones(1 << 20))
    results.append(float(again.copy_to_host().sum()))
    return results, served


def rmm(live):
    """Buffers of its own, then CuPy's arrays by its allocator, as RAPIDS has them."""
    import cupy as cp
    import rmm
    from rmm.allocators.cupy import rmm_cupy_allocator
    from rmm.pylibrmm.stream import DEFAULT_STREAM, Stream

    pick, side = random.Random(4), Stream()
    kept, results = [], []
    for step in range(STEPS):
        stream, size = side if step % 2 else DEFAULT_STREAM, pick.randint(1, 1 << 22)
        buffer = rmm.DeviceBuffer.to_device(bytes([step]) * size, stream)
        buffer.resize(size + pick.randint(1, 1 << 20), stream)  # copies into a new block
        kept.append((buffer, size, stream))
    results += [sum(buffer.tobytes(stream)[:size]) for buffer, size, stream in kept]
    served = live()
    try:
        rmm.DeviceBuffer(size=TOO_MUCH)
    except MemoryError as error:
        results.append(type(error).__name__)
    cp.cuda.set_allocator(rmm_cupy_allocator)
    by_cupy, _ = cupy(live)
    return results + by_cupy, served


def main():
    whose, name = sys.argv[1:]
    live = int
    if whose == "gmlake":
        import gmlake

        importlib.import_module(f"gmlake.{name}").enable()
        live = gmlake.memory_allocated
    results, served = {"cupy": cupy, "numba": numba, "rmm": rmm}[name](live)
    gc.collect()
    print(json.dumps({"answers": results, "served": served, "left": live()}), flush=True)


if __name__ == "__main__":
    main()
