"""gmlake as CuPy's allocator: gmlake.cupy.enable()."""

import cupy

from gmlake import _library

_streams = {}  # of each block: memory goes back behind the work of the stream it was asked for on


def _malloc(size, device):
    stream = cupy.cuda.get_current_stream()
    try:
        pointer = _library.allocate(size, device, stream.ptr or None)
    except MemoryError:
        used = _library.memory(device)
        raise cupy.cuda.memory.OutOfMemoryError(size, used.physical) from None
    _streams[pointer] = stream
    return pointer


def _free(pointer, device):
    stream = _streams.pop(pointer)
    _library.free(pointer, 0, device, stream.ptr or None)


def enable():
    """What is allocated from now on is gmlake's."""
    cupy.cuda.set_allocator(cupy.cuda.PythonFunctionAllocator(_malloc, _free).malloc)
