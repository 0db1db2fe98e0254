#!/usr/bin/env python3
"""What watching the program's own order costs: cudaEventRecord and cudaStreamWaitEvent with the library and without.

    tests/bench/order.py [--build build/release] [--calls 20000] [--runs 7]

Run in turn, on simcuda or, with LD_LIBRARY_PATH set, on whatever CUDA that names. A call may cost at most 100 ns more:
exit status 1 if one costs more. A figure is the best of the runs: whatever else the machine does only adds to one.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

BOUND = 100.0  # ns that a call may cost more


def once(build, preload, streams, calls):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_"))}
    environment.setdefault("LD_LIBRARY_PATH", str(build / "lib" / "simcuda"))
    environment["SIMCUDA_CHECKS"] = "none"  # what simcuda would check takes its own time
    if preload:
        environment |= {"LD_PRELOAD": str(build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"}
    command = [build / "tests" / "order_loop", str(streams), str(calls)]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    build = options.build.resolve()
    print(f"{'':32}{'native':>10}{'gmlake':>10}{'more':>8}   ns a call, best of {options.runs}; at most {BOUND:g} more")
    broken = 0
    for streams in (2, 8, 64, 256):
        runs = [(once(build, False, streams, options.calls), once(build, True, streams, options.calls))
                for _ in range(options.runs)]
        for call, key in (("cudaEventRecord", "record_ns"), ("cudaStreamWaitEvent", "wait_ns")):
            native, gmlake = (min(run[side][key] for run in runs) for side in (0, 1))
            broken += gmlake - native > BOUND
            print(f"  {f'{call}, {streams} streams':30}{native:10.1f}{gmlake:10.1f}{gmlake - native:8.1f}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
