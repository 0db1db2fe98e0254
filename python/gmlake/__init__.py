"""gmlake: a GPU memory pool that stitches, in front of unmodified CUDA programs.

    gmlake run --pytorch -- python train.py     # on the command line
    gmlake.torch.enable()                       # or in the program, before anything uses CUDA

The modules gmlake.torch, gmlake.cupy, gmlake.numba and gmlake.rmm make it the allocator of those. Here is what is the
same for all: the figures of this process. Importing it loads nothing and does not touch CUDA.
"""

import contextlib
import json

from gmlake import _library
from gmlake._version import version as __version__

__all__ = ["__version__", "annotate", "empty_cache", "library_path", "max_memory_allocated", "max_memory_reserved", "memory_allocated",
           "memory_reserved", "stats"]


def library_path():
    """The libgmlake.so of this package, as a path; what LD_PRELOAD must name where `gmlake run` is not used."""
    return str(_library.PATH)


def stats():
    """The report as it is now, as docs/statistics.md explains it; an empty dict before gmlake has served anything."""
    text = _library.report()
    return json.loads(text) if text else {}


@contextlib.contextmanager
def annotate(name):
    """What this thread asks for meanwhile is for `name`: so it stands in reports where stats.sample_bytes notes who holds memory."""
    before = _library.annotate(name.encode())
    try:
        yield
    finally:
        _library.annotate(before)


def memory_allocated(device=0):
    """Bytes in blocks that are in use."""
    return _library.memory(device).live


def max_memory_allocated(device=0):
    """The most that memory_allocated has been."""
    return _library.memory(device).peak_live


def memory_reserved(device=0):
    """Bytes of the GPU that the pool has taken."""
    return _library.memory(device).physical


def max_memory_reserved(device=0):
    """The most that memory_reserved has been."""
    return _library.memory(device).peak_physical


def empty_cache(device=0):
    """Gives the GPU back what is free and no longer used by any work on it; the bytes given back.

    What work that is under way still uses stays: synchronize before. A context of the device must be current.
    """
    return _library.trim(device)
