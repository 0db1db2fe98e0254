"""gmlake as PyTorch's allocator, so that each tensor is a block of its pool.

    import gmlake.torch
    gmlake.torch.enable()        # before anything uses CUDA

An allocation that fails raises RuntimeError("CUDA out of memory. ..."), which trainers and batch-size finders catch.
"""

import contextlib
import ctypes

import torch

import gmlake
from gmlake import _library

_plugin = None  # what PyTorch has been given; it keeps no reference of its own


def enable():
    """Makes gmlake the allocator of this process, once for all. RuntimeError if CUDA is in use already."""
    global _plugin
    if _plugin is not None:
        return
    if torch.version.cuda is None:
        raise RuntimeError("gmlake.torch: this torch is not built for CUDA")
    plugin = _make()
    try:
        torch.cuda.memory.change_current_allocator(plugin)
    except RuntimeError as error:
        raise RuntimeError("gmlake.torch.enable() comes too late: CUDA is in use, with PyTorch's own allocator. "
                           "Call it before the first tensor on the GPU and before torch.cuda is asked for anything") from error
    _plugin = plugin


def is_enabled():
    return _plugin is not None


def _make():
    _library.load()  # the plug-in is linked with it
    shim = ctypes.CDLL(str(_library.TORCH_PLUGIN))
    plugin = torch.cuda.memory.CUDAPluggableAllocator(str(_library.TORCH_PLUGIN), "gmlake_torch_malloc", "gmlake_torch_free")
    functions = plugin.allocator()
    if not hasattr(functions, "set_record_stream_fn"):
        raise RuntimeError(f"gmlake.torch: torch {torch.__version__} can not tell an allocator of Tensor.record_stream; it takes 2.0")
    functions.set_record_stream_fn(ctypes.cast(shim.gmlake_torch_record_stream, ctypes.c_void_p).value)
    if hasattr(functions, "set_reset_fn"):  # what torch.cuda.empty_cache() calls
        functions.set_reset_fn(ctypes.cast(shim.gmlake_torch_empty_cache, ctypes.c_void_p).value)
    return plugin


@contextlib.contextmanager
def mem_pool(device=None):
    """What this thread allocates within goes to a torch.cuda.MemPool of its own, whose memory is gmlake's. Gives that pool.

    For a program that keeps PyTorch's own allocator otherwise; with enable(), all is gmlake's anyway.
    """
    # NULL where there is no memory, and no exception: PyTorch gives back what it has cached and asks again.
    source = torch.cuda.memory.CUDAPluggableAllocator(_library.load()._name, "gmlake_malloc", "gmlake_free")
    pool = torch.cuda.MemPool(source.allocator())
    with torch.cuda.use_mem_pool(pool, device):
        yield pool


def _index(device):
    if device is None:
        return torch.cuda.current_device()
    index = torch.device(device).index if not isinstance(device, int) else device
    return torch.cuda.current_device() if index is None else index


def memory_allocated(device=None):
    """As torch.cuda.memory_allocated(), which a plug-in can not answer: bytes in tensors."""
    return gmlake.memory_allocated(_index(device))


def max_memory_allocated(device=None):
    return gmlake.max_memory_allocated(_index(device))


def memory_reserved(device=None):
    """Bytes of the GPU that the pool has taken."""
    return gmlake.memory_reserved(_index(device))


def max_memory_reserved(device=None):
    return gmlake.max_memory_reserved(_index(device))


def empty_cache(device=None):
    """Waits for the device and gives it back what is free; the bytes given back."""
    index = _index(device)
    torch.cuda.synchronize(index)
    with torch.cuda.device(index):
        return gmlake.empty_cache(index)


stats = gmlake.stats
