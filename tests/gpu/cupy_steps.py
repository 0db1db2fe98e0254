"""A CuPy program: products, sorts and sums of arrays of many sizes. Prints what they came to, as JSON.

CHECK_ALLOCATOR chooses who serves memory: pool (CuPy's own), none (cudaMalloc for each array), async (the driver's
stream-ordered pool).
"""

import json
import os
import random
import statistics
import time

import cupy

STEPS, WARM_UP = 40, 4


def step(pick, state):
    rows, inner = 64 * pick.randint(2, 40), 64 * pick.randint(2, 40)
    a = state.random_sample((rows, inner), dtype=cupy.float32)
    product = a @ a.T
    ordered = cupy.sort(state.random_sample(1000 * pick.randint(1, 8000), dtype=cupy.float32))
    return float(cupy.tanh(product).sum(dtype=cupy.float64)) + float(ordered[:: max(1, ordered.size // 1000)].sum())


def main():
    choice = os.environ.get("CHECK_ALLOCATOR", "pool")
    if choice == "none":
        cupy.cuda.set_allocator(None)
    elif choice == "async":
        cupy.cuda.set_allocator(cupy.cuda.MemoryAsyncPool().malloc)
    pick, state = random.Random(1), cupy.random.RandomState(2)
    results, times, used = [], [], 0
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        results.append(step(pick, state))
        cupy.cuda.Device().synchronize()
        times.append(time.perf_counter() - start)
        free, total = cupy.cuda.runtime.memGetInfo()
        used = max(used, total - free)
    print(json.dumps({"results": results, "ms_per_step": round(statistics.median(times[WARM_UP:]) * 1e3, 3),
                      "peak_mib": used >> 20}))


if __name__ == "__main__":
    main()
