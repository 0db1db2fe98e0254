#!/usr/bin/env python3
"""What a recording costs on a hit: a pair that hits, in a loop, with trace.file and without, in turn on simcuda.

    tests/bench/record.py [--build build/release] [--before BUILD] [--pairs 60000] [--runs 21]

Prints the best mean of each, and what an event of the two in a pair costs more: exit status 1 if that is more than
100 ns, or if the file does not have each of them. More pairs than the ring has room for would be lost in part, which
is cheaper. With --before, the build directory of a version without recordings, also what being able to record costs
while nothing is recorded, measured in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BOUND = 100.0  # ns an event


def pair(build, library, arguments, options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    environment |= {"LD_LIBRARY_PATH": str(build / "lib" / "simcuda"), "SIMCUDA_CHECKS": "none",
                    "LD_PRELOAD": str(library / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"} | options
    command = [build / "tests" / "hit_loop", *arguments]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)["device_pair_ns"]


def recorded_pairs(build, trace):
    """How many allocations the file has; all of what was not lost."""
    command = [build / "bin" / "gmlake", "trace", "info", "--json", trace]
    info, = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return info["allocations"] if info["lost_events"] == 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--pairs", type=int, default=60000)
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    build = options.build.resolve()
    broken = 0
    print(f"{'':34}{'before':>9}{'off':>9}{'ratio':>8}{'on':>9}{'ns/event':>10}   ns per pair, best of {options.runs}; "
          f"an event is to cost at most {BOUND:g} ns more")
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.csv.gz"
        recording = {"GMLAKE_TRACE_FILE": str(trace)}
        for what, arguments in (("MallocAsync, own stream, 512B", ["--stream", "own", "--bytes", "512"]),
                                ("MallocAsync, own stream, 2MiB", ["--stream", "own", "--bytes", str(2 << 20)]),
                                ("MallocAsync, default stream, 2MiB", ["--bytes", str(2 << 20)])):
            arguments = [*arguments, str(options.pairs)]
            before = off = on = float("inf")
            for _ in range(options.runs):  # in turn: whatever else the machine does meets all
                if options.before:
                    before = min(before, pair(build, options.before.resolve(), arguments, {}))
                off = min(off, pair(build, build, arguments, {}))
                on = min(on, pair(build, build, arguments, recording))
                if recorded_pairs(build, trace) < options.pairs:
                    print(f"  {what}: not all is in the file; take fewer --pairs")
                    broken += 1
            event = (on - off) / 2
            broken += event > BOUND
            known = (f"{before:9.1f}", f"{off / before:8.3f}") if options.before else (" " * 9, " " * 8)
            print(f"  {what}".ljust(34) + f"{known[0]}{off:9.1f}{known[1]}{on:9.1f}{event:10.1f}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
