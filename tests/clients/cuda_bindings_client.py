"""cuda.bindings.driver: contexts, streams, events, memory of every kind, pools, copies, virtual memory, errors."""

import ctypes
import threading

from cuda.bindings import driver

from say import digest, say

KIB, MIB = 1 << 10, 1 << 20
SUCCESS = driver.CUresult.CUDA_SUCCESS


def ok(answer):
    """The results of a call that must succeed: none, one, or a tuple."""
    error, *results = answer
    assert error == SUCCESS, driver.cuGetErrorName(error)
    return results[0] if len(results) == 1 else tuple(results)


def refused(what, answer):
    assert answer[0] != SUCCESS, what
    say(what, ok(driver.cuGetErrorName(answer[0])).decode())


def download(pointer, size):
    data = bytearray(size)
    ok(driver.cuMemcpyDtoH(data, pointer, size))
    return data


def device():
    ok(driver.cuInit(0))
    say("driver", ok(driver.cuDriverGetVersion()))
    found = ok(driver.cuDeviceGet(0))
    for name in ("COMPUTE_CAPABILITY_MAJOR", "MEMORY_POOLS_SUPPORTED", "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED"):
        attribute = getattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        say(name, ok(driver.cuDeviceGetAttribute(attribute, found)))
    say("total", ok(driver.cuDeviceTotalMem(found)))
    refused("a device that is not there", driver.cuDeviceGet(99))
    return found


def contexts(found):
    primary = ok(driver.cuDevicePrimaryCtxRetain(found))
    ok(driver.cuCtxSetCurrent(primary))
    other = ok(driver.cuCtxCreate(None, 0, found))
    say("a new context is current", int(ok(driver.cuCtxGetCurrent())) == int(other))
    ok(driver.cuCtxDestroy(other))
    ok(driver.cuCtxSetCurrent(primary))
    say("the state of the primary one", ok(driver.cuDevicePrimaryCtxGetState(found)))
    refused("a context destroyed twice", driver.cuCtxDestroy(other))


def memory():
    source = bytes(i * 37 % 251 for i in range(64 * KIB))
    pointer = ok(driver.cuMemAlloc(64 * KIB))
    ok(driver.cuMemcpyHtoD(pointer, source, len(source)))
    say("there and back", digest(download(pointer, len(source))) == digest(source))
    base, size = ok(driver.cuMemGetAddressRange(int(pointer) + 100))
    # Under the library it is the mapping's, which may be larger (docs/interposition.md).
    say("its range", int(base) <= int(pointer) and int(base) + size >= int(pointer) + 64 * KIB)
    kind = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_MEMORY_TYPE
    say("its kind", ok(driver.cuPointerGetAttribute(kind, pointer)))
    ok(driver.cuMemsetD8(pointer, 7, 16))
    ok(driver.cuMemsetD16(int(pointer) + 16, 0x1234, 8))
    ok(driver.cuMemsetD32(int(pointer) + 32, 0xdeadbeef, 4))
    say("filled", download(pointer, 48).hex())
    other = ok(driver.cuMemAlloc(64 * KIB))
    ok(driver.cuMemcpyDtoD(other, pointer, 64 * KIB))
    say("copied", digest(download(other, 64 * KIB)))
    ok(driver.cuMemFree(pointer))
    ok(driver.cuMemFree(other))
    refused("freed twice", driver.cuMemFree(pointer))
    refused("too large", driver.cuMemAlloc(1 << 50))

    pitched, pitch = ok(driver.cuMemAllocPitch(100, 8, 4))
    ok(driver.cuMemsetD2D8(pitched, pitch, 9, 100, 8))
    rows = bytearray(800)
    copy = driver.CUDA_MEMCPY2D()
    copy.srcMemoryType = driver.CUmemorytype.CU_MEMORYTYPE_DEVICE
    copy.srcDevice, copy.srcPitch = pitched, pitch
    copy.dstMemoryType = driver.CUmemorytype.CU_MEMORYTYPE_HOST
    copy.dstHost, copy.dstPitch = ctypes.addressof(ctypes.c_char.from_buffer(rows)), 100
    copy.WidthInBytes, copy.Height = 100, 8
    ok(driver.cuMemcpy2D(copy))
    say("rows", digest(rows) == digest(b"\t" * 800))
    ok(driver.cuMemFree(pitched))

    managed = ok(driver.cuMemAllocManaged(4 * KIB, driver.CUmemAttach_flags.CU_MEM_ATTACH_GLOBAL.value))
    ok(driver.cuMemsetD8(managed, 5, 4 * KIB))
    ok(driver.cuCtxSynchronize())
    say("managed memory is the host's too", ctypes.string_at(int(managed), 4 * KIB) == b"\x05" * 4 * KIB)
    ok(driver.cuMemFree(managed))
    pinned = ok(driver.cuMemHostAlloc(4 * KIB, driver.CU_MEMHOSTALLOC_PORTABLE))
    say("pinned flags", ok(driver.cuMemHostGetFlags(pinned)) & driver.CU_MEMHOSTALLOC_PORTABLE)
    ok(driver.cuMemFreeHost(pinned))


def streams():
    first = ok(driver.cuStreamCreate(driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value))
    least, greatest = ok(driver.cuCtxGetStreamPriorityRange())
    second = ok(driver.cuStreamCreateWithPriority(driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value, greatest))
    say("priorities", (least, greatest, ok(driver.cuStreamGetPriority(second))))
    say("flags", ok(driver.cuStreamGetFlags(first)))
    say("ids differ", ok(driver.cuStreamGetId(first)) != ok(driver.cuStreamGetId(second)))
    begin, end = (ok(driver.cuEventCreate(driver.CUevent_flags.CU_EVENT_DEFAULT.value)) for _ in range(2))

    opened = threading.Event()
    gate = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: opened.wait(60) and None)
    pointer = ok(driver.cuMemAllocAsync(MIB, first))
    ok(driver.cuEventRecord(begin, first))
    ok(driver.cuLaunchHostFunc(first, driver.CUhostFn(ctypes.cast(gate, ctypes.c_void_p).value), 0))
    ok(driver.cuMemsetD32Async(pointer, 0x01020304, MIB // 4, first))
    ok(driver.cuEventRecord(end, first))
    ok(driver.cuStreamWaitEvent(second, end, 0))
    refused("the first stream", driver.cuStreamQuery(first))
    refused("the second stream", driver.cuStreamQuery(second))
    refused("the event", driver.cuEventQuery(end))
    opened.set()
    ok(driver.cuStreamSynchronize(second))
    say("then", ok(driver.cuEventQuery(end)))
    say("filled in order", digest(download(pointer, MIB)))
    say("time passes", ok(driver.cuEventElapsedTime(begin, end)) >= 0)
    ok(driver.cuMemFreeAsync(pointer, first))
    ok(driver.cuStreamSynchronize(first))
    for event in (begin, end):
        ok(driver.cuEventDestroy(event))
    for stream in (first, second):
        ok(driver.cuStreamDestroy(stream))
    refused("an event that is gone", driver.cuEventQuery(end))


def pools(found):
    properties = driver.CUmemPoolProps()
    properties.allocType = driver.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    properties.location.type = driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    properties.location.id = 0
    pool = ok(driver.cuMemPoolCreate(properties))
    attribute = driver.CUmemPool_attribute
    ok(driver.cuMemPoolSetAttribute(pool, attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, driver.cuuint64_t(64 * MIB)))
    stream = ok(driver.cuStreamCreate(driver.CUstream_flags.CU_STREAM_NON_BLOCKING.value))
    pointer = ok(driver.cuMemAllocFromPoolAsync(3 * MIB, pool, stream))
    ok(driver.cuMemsetD8Async(pointer, 3, 3 * MIB, stream))
    ok(driver.cuStreamSynchronize(stream))
    say("from a pool", digest(download(pointer, 3 * MIB)))
    say("used", int(ok(driver.cuMemPoolGetAttribute(pool, attribute.CU_MEMPOOL_ATTR_USED_MEM_CURRENT))) >= 3 * MIB)
    ok(driver.cuMemFreeAsync(pointer, stream))
    ok(driver.cuStreamSynchronize(stream))
    ok(driver.cuMemPoolTrimTo(pool, 0))
    say("left", int(ok(driver.cuMemPoolGetAttribute(pool, attribute.CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT))))
    ok(driver.cuMemPoolDestroy(pool))
    ok(driver.cuStreamDestroy(stream))
    current, standard = ok(driver.cuDeviceGetMemPool(found)), ok(driver.cuDeviceGetDefaultMemPool(found))
    say("the device's pool is its default one", int(current) == int(standard))


def virtual_memory():
    properties = driver.CUmemAllocationProp()
    properties.type = driver.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    properties.location.type = driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    properties.location.id = 0
    minimum = driver.CUmemAllocationGranularity_flags.CU_MEM_ALLOC_GRANULARITY_MINIMUM
    size = ok(driver.cuMemGetAllocationGranularity(properties, minimum))
    say("granularity", size)
    handle = ok(driver.cuMemCreate(size, properties, 0))
    at = ok(driver.cuMemAddressReserve(2 * size, 0, 0, 0))
    ok(driver.cuMemMap(at, size, 0, handle, 0))
    ok(driver.cuMemMap(int(at) + size, size, 0, handle, 0))
    access = driver.CUmemAccessDesc()
    access.location = properties.location
    access.flags = driver.CUmemAccess_flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
    ok(driver.cuMemSetAccess(at, 2 * size, [access], 1))
    ok(driver.cuMemsetD32(at, 42, size // 4))
    say("two addresses of one memory", digest(download(int(at) + size, size)) == digest(download(at, size)))
    refused("half a mapping", driver.cuMemUnmap(at, size // 2))
    ok(driver.cuMemUnmap(at, 2 * size))
    ok(driver.cuMemRelease(handle))
    ok(driver.cuMemAddressFree(at, 2 * size))


def main():
    found = device()
    contexts(found)
    memory()
    streams()
    pools(found)
    virtual_memory()
    ok(driver.cuDevicePrimaryCtxRelease(found))


if __name__ == "__main__":
    main()
