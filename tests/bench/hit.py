#!/usr/bin/env python3
"""What a hit costs: one size allocated and freed in a loop, under the library and natively, on simcuda.

    tests/bench/hit.py [--build build/release] [--pairs 200000] [--runs 5]

Prints the best mean of each, beside a malloc(64) and free of glibc from the same run. simcuda's native allocator
is a simulation: its figure says what the loop costs there, not what a GPU's driver costs.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path


def best(build, preload, runs, arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    environment["LD_LIBRARY_PATH"] = str(build / "lib" / "simcuda")
    if preload:
        environment |= {"LD_PRELOAD": str(build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"}
    command = [build / "tests" / "hit_loop", *arguments]
    results = [json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
               for _ in range(runs)]
    return [min(result[key] for result in results) for key in ("device_pair_ns", "malloc_pair_ns")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--pairs", type=int, default=200000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    build = options.build.resolve()
    print(f"{'':42}{'gmlake':>12}{'native':>12}{'malloc':>12}   ns per pair, best of {options.runs}")
    for api in ("async", "malloc"):
        for size in (3000, 4 << 20):
            arguments = ["--api", api, "--bytes", str(size), str(options.pairs)]
            gmlake, host = best(build, True, options.runs, arguments)
            # A native pair on simcuda is dear: fewer of them, for the same mean.
            native, _ = best(build, False, options.runs, [*arguments[:-1], str(max(1, options.pairs // 20))])
            print(f"  cuda{'MallocAsync' if api == 'async' else 'Malloc'} and free of {size} bytes".ljust(42)
                  + f"{gmlake:12.1f}{native:12.1f}{host:12.1f}")


if __name__ == "__main__":
    main()
