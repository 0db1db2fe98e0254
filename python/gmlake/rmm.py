"""gmlake as a memory resource of RMM (cuDF, cuML, RAPIDS): gmlake.rmm.enable(), or pass memory_resource() where one is asked for."""

import rmm
from rmm.pylibrmm.stream import DEFAULT_STREAM

from gmlake import _library


def _handle(stream):
    return (stream or DEFAULT_STREAM).__cuda_stream__()[1] or None


def memory_resource(device=0):
    return rmm.mr.CallbackMemoryResource(
        lambda size, stream=None: _library.allocate(size, device, _handle(stream)),
        lambda pointer, size, stream=None: _library.free(pointer, size, device, _handle(stream)))


def enable(device=0):
    rmm.mr.set_per_device_resource(device, memory_resource(device))
