#!/usr/bin/env python3
"""What taking memory costs, natively and under the library in turn: a program's first memory by block size, and threads
that free and take random sizes.

    tests/bench/growth.py [--build build/release] [--driver simcuda|real] [--total GiB] [--runs 3]

Prints the best of the runs and the ratio of the two. On a real GPU (--driver real, with a libcudart.so of CUDA 13 on
LD_LIBRARY_PATH) the figures say what a program pays; on simcuda, where the driver costs next to nothing, they show how
many calls there are.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

MIB = 1 << 20


def best(options, preload, arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_PRELOAD"))}
    if options.driver == "simcuda":
        environment |= {"LD_LIBRARY_PATH": str(options.build / "lib" / "simcuda"), "SIMCUDA_CHECKS": "none",
                        "SIMCUDA_BACKING": "none", "SIMCUDA_MEMORY": "64GiB"}
    if preload:
        environment |= {"LD_PRELOAD": str(options.build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"}
    command = [options.build / "tests" / "growth", *map(str, arguments)]
    results = [json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
               for _ in range(options.runs)]
    return {key: min(result[key] for result in results) for key in results[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--driver", choices=["simcuda", "real"], default="simcuda")
    parser.add_argument("--total", type=int, default=16, help="GiB that are taken")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2000)
    options = parser.parse_args()
    options.build = options.build.resolve()
    print(f"{'':40}{'native':>12}{'gmlake':>12}{'gmlake / native':>18}")

    def row(name, key, arguments):
        native, ours = (best(options, preload, arguments)[key] for preload in (False, True))
        print(f"{name:40}{native:12.3f}{ours:12.3f}{ours / native:18.3f}", flush=True)

    for api in ("async", "malloc"):
        for size in (2, 20, 64, 512):
            row(f"new memory, {api}, {size} MiB, ms a GiB", "new_ms_per_gib",
                ["grow", "--api", api, "--bytes", size * MIB, "--total", options.total << 30])
    for api in ("async", "malloc"):
        for threads in (1, 4, 16):
            row(f"random sizes, {api}, {threads} threads, us", "us_per_round",
                ["churn", "--api", api, "--threads", threads, "--rounds", options.rounds])


if __name__ == "__main__":
    main()
