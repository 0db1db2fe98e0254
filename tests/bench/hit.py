#!/usr/bin/env python3
"""What a hit costs: one size allocated and freed in a loop, under the library and natively, on simcuda.

    tests/bench/hit.py [--build build/release] [--pairs 200000] [--runs 5]

Prints the best mean of each, beside a malloc(64) and free of glibc and the pool's own pair in process, measured in
turn with it. Through the door a pair that hits may cost at most twice that: exit status 1 if one costs more. A pair of
cudaMalloc and cudaFree is no hit but asks simcuda for an event, except where the program has one stream and says so.
simcuda's native allocator is a simulation: its figure says what the loop costs there, not what a GPU's driver costs.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

BOUND = 2.0  # a pair through LD_PRELOAD and the runtime door over the pool's own


def best(build, preload, runs, arguments, options=()):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    # What simcuda would check takes its own time.
    environment |= {"LD_LIBRARY_PATH": str(build / "lib" / "simcuda"), "SIMCUDA_CHECKS": "none"}
    if preload:
        environment |= {"LD_PRELOAD": str(build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"} | dict(options)
    command = [build / "tests" / "hit_loop", *arguments]
    results = [json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
               for _ in range(runs)]
    return [min(result[key] for result in results) for key in ("device_pair_ns", "malloc_pair_ns")]


def pool_pair(build, line):
    """The pool's own pair, on a device that backs nothing."""
    command = [build / "tests" / "bench_pool_pair", "--benchmark_format=json", "--benchmark_min_time=0.05",
               f"--benchmark_filter=^{line}$"]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result["benchmarks"][0]["pair_ns"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--pairs", type=int, default=200000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    build = options.build.resolve()
    print(f"{'':48}{'gmlake':>10}{'pool':>10}{'ratio':>8}{'native':>10}{'malloc':>8}   ns per pair, "
          f"best of {options.runs}; the ratio is to be at most {BOUND:g}")
    broken = 0
    one_stream = {"GMLAKE_STREAMS_SINGLE_STREAM": "true"}
    for what, kind, choice, settings in (("MallocAsync, own stream,", "alone", ["--stream", "own"], {}),
                                         ("MallocAsync, default stream,", "alone", [], {}),
                                         ("Malloc, single_stream,", "alone", ["--api", "malloc"], one_stream),
                                         ("Malloc", "host", ["--api", "malloc"], {})):
        for size, name in ((512, "512B"), (2 << 20, "2MiB")):
            arguments = [*choice, "--bytes", str(size), str(options.pairs)]
            gmlake, own = float("inf"), float("inf")
            for _ in range(options.runs):  # in turn: whatever else the machine does meets both
                figure, host = best(build, True, 1, arguments, settings)
                gmlake = min(gmlake, figure)
                own = min(own, pool_pair(build, f"{kind}/{name}/live:0"))
            # A native pair on simcuda is dear: fewer of them, for the same mean.
            native, _ = best(build, False, options.runs, [*arguments[:-1], str(max(1, options.pairs // 20))])
            broken += kind == "alone" and gmlake > BOUND * own
            print(f"  cuda{what} and free of {name}".ljust(48)
                  + f"{gmlake:10.1f}{own:10.1f}{gmlake / own:8.2f}{native:10.1f}{host:8.1f}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
