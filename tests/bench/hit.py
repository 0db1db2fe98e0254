#!/usr/bin/env python3
"""What a hit costs: one size allocated and freed in a loop, under the library and natively, on simcuda.

    tests/bench/hit.py [--build build/release] [--pairs 200000] [--runs 11]

Prints the median of each, beside the pool's own pair in process, in malloc(64) and free pairs that the same process
made: what else slows the processor slows both. Through the door a pair that hits may cost at most twice the pool's
own: exit status 1 if one costs more. A pair of cudaMalloc and cudaFree is no hit but asks simcuda for an event, except
where the program has one stream and says so. simcuda's native allocator is a simulation: its figure says what the loop
costs there, not what a GPU's driver costs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

BOUND = 2.0  # a pair through LD_PRELOAD and the runtime door over the pool's own


def pair(build, preload, arguments, options=()):
    """One run of the loop: (a pair of its calls in ns, the same in malloc pairs)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    # What simcuda would check takes its own time.
    environment |= {"LD_LIBRARY_PATH": str(build / "lib" / "simcuda"), "SIMCUDA_CHECKS": "none"}
    if preload:
        environment |= {"LD_PRELOAD": str(build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"} | dict(options)
    command = [build / "tests" / "hit_loop", *arguments]
    result = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return result["device_pair_ns"], result["device_pair_ns"] / result["malloc_pair_ns"]


def pool_pair(build, line):
    """The pool's own pair, on a device that backs nothing: (ns, malloc pairs)."""
    command = [build / "tests" / "bench_pool_pair", "--benchmark_format=json", "--benchmark_min_time=0.05",
               f"--benchmark_filter=^{line}$"]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result["benchmarks"][0]["pair_ns"], result["benchmarks"][0]["ratio"]


def medians(runs):
    return [statistics.median(column) for column in zip(*runs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--pairs", type=int, default=200000)
    parser.add_argument("--runs", type=int, default=11)
    options = parser.parse_args()
    build = options.build.resolve()
    print(f"{'median of ' + str(options.runs):46}{'gmlake':>11}{'pool':>16}{'ratio':>8}{'native':>12}\n"
          f"{'':46}{'ns':>6}{'mallocs':>8}{'ns':>7}{'mallocs':>8}{f'<= {BOUND:g}':>7}{'ns':>12}")
    broken = 0
    one_stream = {"GMLAKE_STREAMS_SINGLE_STREAM": "true"}
    for what, kind, choice, settings in (("MallocAsync, own stream,", "alone", ["--stream", "own"], {}),
                                         ("MallocAsync, default stream,", "alone", [], {}),
                                         ("Malloc, single_stream,", "alone", ["--api", "malloc"], one_stream),
                                         ("Malloc", "host", ["--api", "malloc"], {})):
        for size, name in ((512, "512B"), (2 << 20, "2MiB")):
            arguments = [*choice, "--bytes", str(size), str(options.pairs)]
            through, own = [], []
            for _ in range(options.runs):
                through.append(pair(build, True, arguments, settings))
                own.append(pool_pair(build, f"{kind}/{name}/live:0"))
            through, own = medians(through), medians(own)
            # A native pair on simcuda is dear: fewer of them, for the same mean.
            arguments[-1] = str(max(1, options.pairs // 20))
            native = medians(pair(build, False, arguments) for _ in range(5))
            ratio = through[1] / own[1]
            broken += kind == "alone" and ratio > BOUND
            print(f"  cuda{what} and free of {name}".ljust(46) + f"{through[0]:6.0f}{through[1]:8.1f}{own[0]:7.0f}"
                  f"{own[1]:8.1f}{ratio:7.2f}{native[0]:12.0f}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
