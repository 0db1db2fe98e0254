"""cuda.core: a device, streams, events, and buffers of pools, of pinned memory and of virtual memory."""

import ctypes

from cuda.bindings import driver
from cuda.core import (Buffer, Device, DeviceMemoryResource, DeviceMemoryResourceOptions, EventOptions,
                       LegacyPinnedMemoryResource, StreamOptions)

from say import digest, say

MIB = 1 << 20


def device():
    found = Device(0)
    found.set_current()
    say("device", (found.device_id, found.name, tuple(found.compute_capability)))
    say("multiprocessors", found.properties.multiprocessor_count)
    say("warp", found.properties.warp_size)
    return found


def streams(found):
    first = found.create_stream()
    second = found.create_stream(options=StreamOptions(nonblocking=True, priority=-1))
    say("streams", (first.is_nonblocking, first.priority, second.priority))
    begin = first.record(options=EventOptions(timing_enabled=True))
    second.wait(begin)
    end = second.record(options=EventOptions(timing_enabled=True))
    end.sync()
    say("done", (begin.is_done, end.is_done))
    say("time passes", end - begin >= 0)
    say("the stream's device", first.device.device_id)
    return first, second


def buffers(found, first, second):
    pinned = LegacyPinnedMemoryResource()
    source = pinned.allocate(3 * MIB)
    target = pinned.allocate(3 * MIB)
    ctypes.memmove(int(source.handle), bytes(i % 253 for i in range(3 * MIB)), 3 * MIB)
    buffer = found.allocate(3 * MIB, stream=first)
    say("buffer", (buffer.size, buffer.is_device_accessible, buffer.is_host_accessible, buffer.device_id))
    buffer.copy_from(source, stream=first)
    second.wait(first)
    buffer.copy_to(target, stream=second)
    second.sync()
    say("there and back", digest(ctypes.string_at(int(target.handle), 3 * MIB)))
    buffer.fill(7, stream=second)
    buffer.copy_to(target, stream=second)
    second.sync()
    say("filled", digest(ctypes.string_at(int(target.handle), 3 * MIB)))
    first.wait(second)
    buffer.close(first)
    first.sync()
    say("closed", int(buffer.handle or 0))

    own = DeviceMemoryResource(found, DeviceMemoryResourceOptions(max_size=64 * MIB))
    blocks = [own.allocate(MIB << i, stream=first) for i in range(4)]
    say("blocks of an own pool", [block.size for block in blocks])
    say("used", own.attributes.used_mem_current >= 15 * MIB)
    for block in blocks:
        block.close(first)
    first.sync()
    say("used then", own.attributes.used_mem_current)


def foreign_memory(found, stream):
    """Memory that cuda.core did not allocate: of the driver API, as a framework would bring it."""
    error, pointer = driver.cuMemAlloc(MIB)
    assert error == driver.CUresult.CUDA_SUCCESS
    foreign = Buffer.from_handle(pointer, MIB, owner=found)
    foreign.fill(5, stream=stream)
    target = LegacyPinnedMemoryResource().allocate(MIB)
    foreign.copy_to(target, stream=stream)
    stream.sync()
    say("memory of the driver API", digest(ctypes.string_at(int(target.handle), MIB)))
    foreign.close()
    assert driver.cuMemFree(pointer)[0] == driver.CUresult.CUDA_SUCCESS


def main():
    found = device()
    first, second = streams(found)
    buffers(found, first, second)
    foreign_memory(found, first)


if __name__ == "__main__":
    main()
