#!/usr/bin/env python3
"""What it costs to note who holds the memory: a whole trace, replayed by an ordinary program under the library with
stats.sample_bytes and without, in turn on simcuda.

    tests/bench/sampling.py [--build build/release] [--sample 512KiB] [--touch pages] [--loops 4] [--runs 7] [TRACE...]

Without a TRACE (CSV or .csv.gz) one is generated: training steps of a GPT-2 medium sized model, most of whose blocks are
larger than 512 KiB, so that each of them is noted. --touch is what the program does with its blocks
(tests/programs/replay_client.cpp): pages writes and checks 4 KiB in each 2 MiB, as tools/demo does; ends only both
ends; none nothing, which leaves the calls alone. Prints the median of each and the ratio: exit status 1 if their median
is above 1.05.
"""

import argparse
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOUND = 1.05
GENERATED = ["trace", "generate", "--model", "gpt2-medium", "--sequence", "512", "--variable-sequence", "random", "--iterations", "4"]


def seconds(options, trace, sample):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    environment |= {"LD_LIBRARY_PATH": str(options.build / "lib" / "simcuda"), "SIMCUDA_CHECKS": "none", "SIMCUDA_MEMORY": "80GiB",
                    "LD_PRELOAD": str(options.build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none",
                    "GMLAKE_STATS_SAMPLE_BYTES": sample}
    begin = time.monotonic()
    subprocess.run([options.build / "tests" / "replay_client_shared", "--touch", options.touch, "--loops", str(options.loops), trace],
                   env=environment, check=True, capture_output=True)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--sample", default="512KiB")
    parser.add_argument("--touch", choices=["all", "pages", "ends", "none"], default="pages")
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("traces", nargs="*", type=Path)
    options = parser.parse_args()
    options.build = options.build.resolve()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        traces = options.traces
        if not traces:
            traces = [Path(folder) / "generated.csv"]
            subprocess.run([options.build / "bin" / "gmlake", *GENERATED, "--output", traces[0]], check=True, stdout=subprocess.DEVNULL)
        for trace in traces:
            plain = Path(folder) / "trace.csv"
            plain.write_bytes(gzip.open(trace).read() if trace.suffix == ".gz" else trace.read_bytes())
            runs = [[seconds(options, plain, sample) for sample in ("0", options.sample)] for _ in range(options.runs)]
            without, noted = (statistics.median(times) for times in zip(*runs))
            ratios.append(noted / without)
            print(f"{trace.name:40} {without:8.3f} s {noted:8.3f} s  {ratios[-1]:.3f}", flush=True)
    print(f"median {statistics.median(ratios):.3f} (at most {BOUND})")
    return statistics.median(ratios) > BOUND


if __name__ == "__main__":
    sys.exit(main())
