#!/usr/bin/env python3
"""What the library adds to lookups of names that are not CUDA's allocation calls: by dlsym and by cuGetProcAddress.

    tests/bench/lookup.py [--build build/release] [--lookups 100000] [--runs 9]

Runs the program natively and under the library in turn and prints the best of each, and the difference. Exit status 1
if a lookup costs more than 20 ns above native.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

BOUND = 20.0  # nanoseconds above native
WHAT = {"dlsym_library_ns": "dlsym, a library's handle", "dlsym_default_ns": "dlsym, RTLD_DEFAULT",
        "get_proc_address_ns": "cuGetProcAddress"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--lookups", type=int, default=100000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    build = options.build.resolve()
    native = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    native["LD_LIBRARY_PATH"] = str(build / "lib" / "simcuda")
    loaded = {**native, "LD_PRELOAD": str(build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none"}
    best = [dict.fromkeys(WHAT, float("inf")) for _ in range(2)]
    for _ in range(options.runs):  # in turn: whatever else the machine does meets both
        for way, environment in enumerate((native, loaded)):
            output = subprocess.run([build / "tests" / "lookup_loop", str(options.lookups)], env=environment, check=True,
                                    capture_output=True).stdout
            for key, value in json.loads(output).items():
                best[way][key] = min(best[way][key], value)
    broken = 0
    for key, name in WHAT.items():
        plain, ours = best[0][key], best[1][key]
        broken += ours - plain > BOUND
        print(f"{name:28} native {plain:7.1f} ns, gmlake {ours:7.1f} ns, {ours - plain:+6.1f} (at most +{BOUND:g})")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
