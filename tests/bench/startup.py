#!/usr/bin/env python3
"""What the library costs a process that never calls CUDA: `bash -c true` with and without it, in pairs.

    tests/bench/startup.py [--build build/release] [--pairs 200]

Prints the medians and the median ratio of a pair. The two of a pair run one after the other, in turn first, so
that whatever else the machine does meets both.
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path


def seconds(environment):
    start = time.perf_counter()
    subprocess.run(["/bin/bash", "-c", "true"], env=environment, check=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    library = options.build.resolve() / "lib" / "libgmlake.so"
    if not library.exists():
        parser.error(f"{library} is not built")
    without = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    loaded = {**without, "LD_PRELOAD": str(library)}
    seconds(without), seconds(loaded)
    plain_times, loaded_times = [], []
    for pair in range(options.pairs):
        if pair % 2:
            loaded_times.append(seconds(loaded))
            plain_times.append(seconds(without))
        else:
            plain_times.append(seconds(without))
            loaded_times.append(seconds(loaded))
    ratios = [b / a for a, b in zip(plain_times, loaded_times)]
    low, _, high = statistics.quantiles(ratios, n=4)
    print(f"bash -c true, {options.pairs} pairs: without {statistics.median(plain_times) * 1e3:.3f} ms, "
          f"with {statistics.median(loaded_times) * 1e3:.3f} ms, "
          f"ratio {statistics.median(ratios):.3f} (quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
