"""numba-cuda without kernels: the context, streams, events, device, pinned, mapped and managed arrays."""

import numpy as np
from numba import cuda

from say import digest, say


def device():
    say("available", cuda.is_available())
    found = cuda.get_current_device()
    say("device", (found.id, found.name, found.compute_capability, found.MULTIPROCESSOR_COUNT))
    say("devices", len(cuda.gpus))
    context = cuda.current_context()
    say("memory", context.get_memory_info().total)


def arrays():
    source = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    there = cuda.to_device(source)
    say("shape", (there.shape, there.strides, str(there.dtype), there.nbytes))
    say("there and back", np.array_equal(there.copy_to_host(), source))
    say("a row", digest(there[7].copy_to_host().tobytes()))
    other = cuda.device_array_like(source)
    other.copy_to_device(there)
    say("copied", digest(other.copy_to_host().tobytes()))
    there[3:5].copy_to_device(np.zeros((2, 1000), dtype=np.float32))
    say("a slice written", digest(there.copy_to_host().tobytes()))
    columns = cuda.to_device(np.asfortranarray(source))
    say("by columns", (columns.strides, np.array_equal(columns.copy_to_host(), source)))
    say("reshaped", there.reshape(1000, 100).shape)
    for size in (1, 513, 70_000, 3_000_000, 20_000_000):
        block = cuda.device_array(size, dtype=np.uint8)
        block.copy_to_device(np.full(size, size % 251, dtype=np.uint8))
        say(size, digest(block.copy_to_host()[-1000:].tobytes()))
    try:
        cuda.device_array(1 << 50, dtype=np.uint8)
        raise AssertionError("more memory than there is")
    except cuda.cudadrv.driver.CudaAPIError as error:
        say("too large", error.code)


def streams():
    first, second = cuda.stream(), cuda.stream()
    source = cuda.pinned_array(50_000, dtype=np.int64)
    source[:] = np.arange(50_000)
    target = cuda.pinned_array_like(source)
    begin, end = cuda.event(), cuda.event()
    begin.record(first)
    there = cuda.to_device(source, stream=first)
    end.record(first)
    end.wait(second)
    there.copy_to_host(target, stream=second)
    second.synchronize()
    say("through two streams", np.array_equal(source, target))
    end.synchronize()
    say("the event", end.query())
    say("time passes", cuda.event_elapsed_time(begin, end) >= 0)
    with first.auto_synchronize():
        there.copy_to_host(target, stream=first)
    say("synchronised at the end", np.array_equal(source, target))
    cuda.default_stream().synchronize()
    cuda.per_thread_default_stream().synchronize()


def host_memory():
    mapped = cuda.mapped_array(1000, dtype=np.int32)
    mapped[:] = 11
    say("mapped", int(mapped.sum()))
    managed = cuda.managed_array(1000, dtype=np.int32)
    managed[:] = 13
    cuda.synchronize()
    say("managed", int(managed.sum()))
    own = np.arange(4096, dtype=np.int32)
    with cuda.pinned(own):
        there = cuda.to_device(own, stream=cuda.stream())
        cuda.synchronize()
        say("registered", np.array_equal(there.copy_to_host(), own))


def contexts():
    with cuda.defer_cleanup():
        blocks = [cuda.device_array(1 << 20, dtype=np.uint8) for _ in range(8)]
        del blocks
    cuda.current_context().deallocations.clear()
    cuda.synchronize()
    say("before the end", cuda.to_device(np.ones(10)).copy_to_host().sum())
    cuda.close()


def main():
    device()
    arrays()
    streams()
    host_memory()
    contexts()


if __name__ == "__main__":
    main()
