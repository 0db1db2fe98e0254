"""gmlake as Numba's allocator, by its External Memory Management interface.

gmlake.numba.enable(), before Numba has used CUDA; or NUMBA_CUDA_MEMORY_MANAGER=gmlake.numba.
"""

import ctypes
import weakref

from numba import cuda
from numba.cuda.cudadrv import driver

from gmlake import _library


def _free(pointer, size, device):
    """Numba frees without a stream: the memory goes back behind all work that the context has been given."""
    _library.record_use_anywhere(pointer)
    _library.free(pointer, size, device, None)


class GmlakeNumbaManager(cuda.HostOnlyCUDAMemoryManager):
    """Device memory from gmlake; pinned and mapped host memory as Numba's own."""

    def initialize(self):
        _library.load()

    def memalloc(self, size):
        device = self.context.device.id
        try:
            pointer = _library.allocate(size, device, None)
        except MemoryError as error:
            raise driver.CudaAPIError(_library.OUT_OF_MEMORY, str(error)) from None
        allocations = self.allocations  # keeps it while somebody has what own() gives

        def finalizer():
            allocations.pop(pointer, None)
            _free(pointer, size, device)

        block = driver.AutoFreePointer(weakref.proxy(self.context), ctypes.c_void_p(pointer), size, finalizer=finalizer)
        allocations[pointer] = block
        return block.own()

    def get_memory_info(self):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ctypes.CDLL("libcuda.so.1").cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        return driver.MemoryInfo(free.value, total.value)

    def get_ipc_handle(self, memory):
        raise NotImplementedError("gmlake.numba: such memory is not for other processes; `gmlake run` without gmlake.numba shares it")

    @property
    def interface_version(self):
        return 1


_numba_memory_manager = GmlakeNumbaManager  # the name that NUMBA_CUDA_MEMORY_MANAGER looks for


def enable():
    """What Numba allocates is gmlake's. RuntimeError if it has used CUDA: a context keeps the manager that it began with."""
    contexts = [device.primary_context for device in driver.driver.devices.values() if device.primary_context is not None]
    if not all(isinstance(context.memory_manager, GmlakeNumbaManager) for context in contexts):
        raise RuntimeError("gmlake.numba.enable() comes too late: Numba has used CUDA, with memory of its own. Call it before, or set "
                           "NUMBA_CUDA_MEMORY_MANAGER=gmlake.numba")
    cuda.set_memory_manager(GmlakeNumbaManager)
