"""libgmlake.so by its C functions (gmlake.h): the one that is preloaded if there is one, else the package's own."""

import ctypes
import functools
import os
from pathlib import Path

PATH = Path(__file__).parent / "lib" / "libgmlake.so"
TORCH_PLUGIN = PATH.with_name("libgmlake_torch.so")
OUT_OF_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY
PER_THREAD_STREAM = 2  # CU_STREAM_PER_THREAD: any stream but the one that frees


class Bytes(ctypes.Structure):
    """struct gmlake_bytes"""

    _fields_ = [(name, ctypes.c_size_t) for name in ("live", "peak_live", "physical", "peak_physical")]


def _open():
    preloaded = ctypes.CDLL(None)
    if hasattr(preloaded, "gmlake_allocate"):
        return preloaded
    path = os.environ.get("GMLAKE_LIBRARY") or str(PATH)
    try:
        # Found by its name then by what is linked with it, the plug-in for torch.
        return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        if "static TLS" not in str(error):
            raise
        raise RuntimeError(
            f"{error}: other libraries have taken the room that the loader keeps for thread-local variables. Open gmlake before "
            "them (import gmlake.torch and enable it first), or start the program by `gmlake run`, or with "
            "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=2048 in its environment") from error


@functools.cache
def load():
    library = _open()
    pointer = ctypes.c_void_p
    for name, result, arguments in (
        ("gmlake_version", ctypes.c_char_p, ()),
        ("gmlake_trim", ctypes.c_size_t, (ctypes.c_int, ctypes.c_size_t)),
        ("gmlake_memory", ctypes.c_int, (ctypes.c_int, ctypes.POINTER(Bytes))),
        ("gmlake_report", ctypes.c_size_t, (ctypes.c_char_p, ctypes.c_size_t)),
        ("gmlake_annotate", ctypes.c_char_p, (ctypes.c_char_p,)),
        ("gmlake_allocate", ctypes.c_int, (ctypes.POINTER(pointer), ctypes.c_size_t, ctypes.c_int, pointer)),
        ("gmlake_free", None, (pointer, ctypes.c_size_t, ctypes.c_int, pointer)),
        ("gmlake_record_use", None, (pointer, pointer)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def memory(device):
    figures = Bytes()
    load().gmlake_memory(device, ctypes.byref(figures))
    return figures


def trim(device):
    return load().gmlake_trim(device, 0)


def annotate(name):
    return load().gmlake_annotate(name)


def report():
    size = 0
    while True:
        text = ctypes.create_string_buffer(size + 1)
        length = load().gmlake_report(text, len(text))
        if length <= size:
            return text.value.decode()
        size = length + 4096  # it may grow between the calls


def allocate(size, device, stream):
    """The address, 0 for a size of 0. MemoryError if memory has run out; RuntimeError for what else CUDA says."""
    block = ctypes.c_void_p()
    error = load().gmlake_allocate(ctypes.byref(block), size, device, stream)
    if error == OUT_OF_MEMORY:
        raise MemoryError(f"CUDA out of memory. gmlake has none for {size} bytes on device {device}; it has said why on stderr")
    if error != 0:
        raise RuntimeError(f"gmlake: {size} bytes on device {device}: CUDA error {error}")
    return block.value or 0


def free(pointer, size, device, stream):
    load().gmlake_free(pointer, size, device, stream)


def record_use_anywhere(pointer):
    """Once freed, the block waits for all work that its context has been given until then."""
    load().gmlake_record_use(pointer, PER_THREAD_STREAM)
