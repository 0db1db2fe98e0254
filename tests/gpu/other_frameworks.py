"""gmlake as the allocator of CuPy or Numba on a GPU: kernels on its memory, streams, out of memory and what comes after. Prints JSON.

    other_frameworks.py cupy|numba
"""

import json
import sys


def cupy():
    import cupy as cp
    import gmlake
    import gmlake.cupy

    gmlake.cupy.enable()
    x = cp.arange(1 << 24, dtype=cp.float32)
    fine = gmlake.memory_allocated() >= x.nbytes
    with cp.cuda.Stream(non_blocking=True) as side:
        y = (cp.ones(1 << 24, dtype=cp.float32) * 2).sum()
        side.synchronize()
    fine = fine and float(y) == 2.0 * (1 << 24) and float(x[-1]) == float((1 << 24) - 1)
    try:
        cp.empty(1 << 45, dtype=cp.uint8)
        fine = False
    except cp.cuda.memory.OutOfMemoryError:
        pass
    total = float(cp.ones(1 << 20, dtype=cp.float64).sum())
    del x, y
    cp.cuda.Device().synchronize()
    return {"ok": fine and total == 1 << 20, "live": gmlake.memory_allocated()}


def numba():
    import gmlake
    import gmlake.numba
    import numpy
    from numba import cuda

    gmlake.numba.enable()

    @cuda.jit
    def twice(values):
        i = cuda.grid(1)
        if i < values.size:
            values[i] *= 2

    there = cuda.to_device(numpy.arange(1 << 20, dtype=numpy.float32))
    fine = gmlake.memory_allocated() == 4 << 20
    twice[1 << 12, 1 << 8](there)
    fine = fine and numpy.array_equal(there.copy_to_host(), 2 * numpy.arange(1 << 20, dtype=numpy.float32))
    try:
        cuda.device_array(1 << 45, dtype=numpy.uint8)
        fine = False
    except cuda.cudadrv.driver.CudaAPIError as error:
        fine = fine and error.code == 2
    del there
    return {"ok": fine and gmlake.memory_allocated() == 0}


if __name__ == "__main__":
    print(json.dumps({"cupy": cupy, "numba": numba}[sys.argv[1]]()), flush=True)
