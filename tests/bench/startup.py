#!/usr/bin/env python3
"""What the library costs a process that never calls CUDA: a command with and without it, in pairs.

    tests/bench/startup.py [--build build/release] [--pairs 200] [-- COMMAND...]

The command is `bash -c true` unless one is given, such as `python3 -c "import numpy"`. Prints the medians and the
median ratio of a pair. The two of a pair run one after the other, in turn first, so that whatever else the machine
does meets both.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import time
from pathlib import Path


def seconds(command, environment):
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("command", nargs="*", default=["bash", "-c", "true"])
    options = parser.parse_args()
    library = options.build.resolve() / "lib" / "libgmlake.so"
    if not library.exists():
        parser.error(f"{library} is not built")
    without = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    environments = without, {**without, "LD_PRELOAD": str(library)}
    for environment in environments:
        seconds(options.command, environment)
    times = [], []
    for pair in range(options.pairs):
        for way in (0, 1) if pair % 2 else (1, 0):
            times[way].append(seconds(options.command, environments[way]))
    ratios = [loaded / plain for plain, loaded in zip(*times)]
    low, _, high = statistics.quantiles(ratios, n=4)
    plain, loaded = (statistics.median(values) * 1e3 for values in times)
    print(f"{shlex.join(options.command)}, {options.pairs} pairs: without {plain:.3f} ms, with {loaded:.3f} ms, "
          f"ratio {statistics.median(ratios):.3f} (quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
