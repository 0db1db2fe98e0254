"""gmlake.numba with the real Numba and gmlake.rmm with the real RMM on the simulated device, and gmlake.cupy with a stand-in for CuPy: that one's
CUDA runtime, as RMM's buffers', wants more than that device has. tests/gpu/other_frameworks.py uses all of them on a GPU.
"""

import os
import sys
import zipfile

from installed import harness
from wheel import Wheel

NUMBA = """
import gmlake, gmlake.numba, numpy
from numba import cuda
gmlake.numba.enable()
gmlake.numba.enable()
source = numpy.arange(1 << 22, dtype=numpy.float32)
there = cuda.to_device(source)
assert gmlake.memory_allocated() == source.nbytes, gmlake.memory_allocated()
assert numpy.array_equal(there[5:].copy_to_host(), source[5:])
row = there[:1000]
del there
assert gmlake.memory_allocated() == source.nbytes  # a view holds it
del row
assert gmlake.memory_allocated() == 0
try:
    cuda.device_array(1 << 45, dtype=numpy.uint8)
    raise SystemExit("more memory than there is")
except cuda.cudadrv.driver.CudaAPIError as error:
    assert error.code == 2 and "CUDA out of memory." in str(error), error
again = cuda.device_array(1 << 20, dtype=numpy.uint8)
assert gmlake.memory_allocated() == 1 << 20
free, total = cuda.current_context().get_memory_info()
assert 0 < free < total
pinned = cuda.pinned_array(1 << 20)
assert gmlake.memory_allocated() == 1 << 20
gmlake.numba.enable()  # once more, in use
"""

NUMBA_BY_ITS_VARIABLE = """
import gmlake
from numba import cuda
there = cuda.device_array(1 << 17)
assert gmlake.memory_allocated() == 1 << 20, gmlake.memory_allocated()
"""

NUMBA_TOO_LATE = """
import gmlake.numba
from numba import cuda
there = cuda.device_array(1 << 17)
try:
    gmlake.numba.enable()
    raise SystemExit("what was there before is not gmlake's")
except RuntimeError as error:
    assert "comes too late" in str(error), error
"""

RMM = """
import gmlake, gmlake.rmm
from rmm.pylibrmm.stream import PER_THREAD_DEFAULT_STREAM
resource = gmlake.rmm.memory_resource()
block = resource.allocate(1 << 24)
other = resource.allocate(1 << 22, PER_THREAD_DEFAULT_STREAM)
assert gmlake.memory_allocated() == (1 << 24) + (1 << 22)
resource.deallocate(other, 1 << 22, PER_THREAD_DEFAULT_STREAM)
resource.deallocate(block, 1 << 24)
assert gmlake.memory_allocated() == 0
for _ in range(2):
    try:
        resource.allocate(1 << 45)
        raise SystemExit("more memory than there is")
    except MemoryError as error:
        assert "CUDA out of memory." in str(error), error
resource.deallocate(resource.allocate(1 << 24), 1 << 24)
assert gmlake.max_memory_allocated() == (1 << 24) + (1 << 22)
"""

# What gmlake.cupy touches of CuPy, doing what CuPy 14 does as far as that goes.
FAKE = '''
import types


class Stream:
    def __init__(self, ptr):
        self.ptr = ptr


class Memory:
    def __init__(self, allocator, size):
        self.free, self.ptr = allocator.free, allocator.take(size, 0)

    def __del__(self):
        if hasattr(self, "ptr"):
            self.free(self.ptr, 0)


class PythonFunctionAllocator:
    def __init__(self, malloc, free):
        self.take, self.free = malloc, free

    def malloc(self, size):
        return Memory(self, size)


class OutOfMemoryError(MemoryError):
    def __init__(self, size, total, limit=0):
        super().__init__(f"{size} {total} {limit}")


def set_allocator(allocator):
    cuda.alloc = allocator


stream = Stream(0)
cuda = types.SimpleNamespace(get_current_stream=lambda: stream, PythonFunctionAllocator=PythonFunctionAllocator,
                             set_allocator=set_allocator, memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError))
'''

CUPY = """
import cupy, gmlake, gmlake.cupy
gmlake.cupy.enable()
block = cupy.cuda.alloc(1 << 24)
assert gmlake.memory_allocated() == 1 << 24
cupy.stream = cupy.Stream(2)  # the thread's own default stream
other = cupy.cuda.alloc(1 << 22)
assert gmlake.memory_allocated() == (1 << 24) + (1 << 22)
del block, other
assert gmlake.memory_allocated() == 0 and not gmlake.cupy._streams
for _ in range(2):
    try:
        cupy.cuda.alloc(1 << 45)
        raise SystemExit("more memory than there is")
    except cupy.cuda.memory.OutOfMemoryError:
        pass
block = cupy.cuda.alloc(1 << 24)
assert gmlake.memory_allocated() == 1 << 24 and gmlake.max_memory_reserved() <= 1 << 26
"""


class Framework(Wheel):
    def check(self, python, code, *paths, **settings):
        package = self.folder / "package"
        with zipfile.ZipFile(self.wheel) as archive:
            archive.extractall(package)
        env = self.environment(PYTHONPATH=":".join(map(str, [package, *paths])), GMLAKE_STATS_REPORT="none", GMLAKE_LOG_LEVEL="off",
                               SIMCUDA_MEMORY="2GiB", SIMCUDA_CHECKS="order,memory", **settings)
        said = harness.run(python, "-c", code, env=env)
        self.assertEqual((said.returncode, said.stderr), (0, ""), said.stdout)

    def test_numba(self):
        self.check(os.environ["CLIENTS_PYTHON"], NUMBA)
        self.check(os.environ["CLIENTS_PYTHON"], NUMBA_BY_ITS_VARIABLE, NUMBA_CUDA_MEMORY_MANAGER="gmlake.numba")
        self.check(os.environ["CLIENTS_PYTHON"], NUMBA_TOO_LATE)

    def test_rmm(self):
        self.check(os.environ["CLIENTS_PYTHON"], RMM)

    def test_cupy(self):
        fake = self.folder / "fake"
        fake.mkdir()
        (fake / "cupy.py").write_text(FAKE)
        self.check(sys.executable, CUPY, fake)


if __name__ == "__main__":
    harness.main()
