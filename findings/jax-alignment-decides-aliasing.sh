#!/usr/bin/env bash
# JAX on the CPU: whether an array is a copy or a window onto NumPy's memory depends on the address; the memory profile
# counts every window as memory of the device.
#
# Expected: jax.device_put copies, as JAX arrays never change; jax.dlpack.from_dlpack on the CPU never copies, as nothing
#   moves between devices. Memory that belongs to NumPy is not in JAX's device memory profile, or is there once.
# Happened: both make a window if the address is a multiple of 64, and a copy if it is not. A write to the NumPy array is
#   then seen in the JAX array, or not. Two windows onto one NumPy array of 4 MiB are 8 MiB of cpu:0 in the profile.
#   jnp.asarray, whose NumPy model does not copy, copies in either case.
# Versions: jax and jaxlib 0.10.2, NumPy 2.4.6, CPython 3.11.
# Matters: large arrays of NumPy come from mmap and begin 16 bytes into a page, so they are copied and the memory is there
#   twice; middling ones are copied or shared from one run to the next. Figures of the profile can not be added up.
# Source of the expectation: the reference says that device_put returns a copy of its argument (and mentions that aliasing
#   may be allowed, as a parameter), and that from_dlpack copies where the transfer between devices needs it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$dir/venv/bin/python" - <<'PY'
import gzip, sys
import jax, jax.dlpack, jax.numpy as jnp, numpy as np

print("jax", jax.__version__, "numpy", np.__version__)
COUNT = 1 << 20  # 4 MiB of float32

def numpy_array(offset):
    raw = np.zeros(4 * COUNT + 128, np.uint8)
    start = -raw.ctypes.data % 64 + offset
    return raw[start:start + 4 * COUNT].view(np.float32)

def shared(make, offset):
    array = numpy_array(offset)
    made = make(array)
    made.block_until_ready()
    array[0] = 7
    return float(made[0]) == 7

seen = {}
for name, make in (("jax.device_put", jax.device_put), ("jax.dlpack.from_dlpack", jax.dlpack.from_dlpack),
                   ("jnp.asarray", jnp.asarray)):
    seen[name] = [shared(make, offset) for offset in (0, 16)]
    print(f"{name:24}address % 64 == 0: {'window' if seen[name][0] else 'copy':7}"
          f"address % 64 == 16: {'window' if seen[name][1] else 'copy'}")

def fields(data):
    """The fields of a protobuf message: numbers and bytes."""
    at = 0
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        value = varint()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        yield key >> 3, value

def packed(data):
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    return values

def profiled():
    """The sum of the second value, bytes, over all samples of the profile."""
    total = 0
    for number, sample in fields(gzip.decompress(jax.profiler.device_memory_profile())):
        if number == 2:
            total += packed(b"".join(v for n, v in fields(sample) if n == 2))[1]
    return total / (1 << 20)

array = numpy_array(0)
before = profiled()
windows = [jax.device_put(array), jax.device_put(array)]
after = profiled()
same = {window.unsafe_buffer_pointer() for window in windows} == {array.ctypes.data}
print(f"two windows onto one array, at its address: {same}; profile: {before:.0f} MiB before, {after:.0f} MiB after")
ok = (seen == {"jax.device_put": [True, False], "jax.dlpack.from_dlpack": [True, False], "jnp.asarray": [False, False]}
      and same and after - before == 8)
sys.exit(0 if ok else 1)
PY
