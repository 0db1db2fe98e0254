#!/usr/bin/env python3
"""What the pool itself costs, and whether it holds its bounds: runs bench_pool_pair and judges its figures.

    tests/bench/pool_pair.py [--build build/release] [--runs 9] [--seconds 0.05] [--filter REGEX]

A figure is a pair's time in malloc(64) and free pairs that the same thread made right after it, in the median of the
runs: what the processor is slowed by, other work or a neighbour that shares its core, slows both. Exit status 1 if a
bound is broken. With more threads than processors a thread's pair holds the time others had its processor; only two
threads are judged.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ONE_THREAD = 6.0  # a pair of one size and thread that hits, in malloc(64) and free pairs of the same run
# Lines that are shown beside them: cudaMalloc and cudaFree, and streams that hand one block on, where each pair asks an
# event; and sizes in turn, where regions are split and joined again.
NO_BOUND = ("host/", "handed_on/", "seven/", "random/")
FLAT = 2.0  # the dearest over the cheapest as live blocks or holes go from 10 to 100000
FLAT_STREAMS = 1.5  # the same as streams alive go from 1 to 256
TWO_THREADS = 1.5  # two threads over one, on streams of one device and on devices of their own


def measure(options):
    """By name, threads included: the counters of the run in the middle."""
    command = [options.build / "tests" / "bench_pool_pair", "--benchmark_format=json",
               f"--benchmark_min_time={options.seconds}", f"--benchmark_repetitions={options.runs}",
               f"--benchmark_filter={options.filter}", "--benchmark_enable_random_interleaving=true"]
    lines = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["benchmarks"]
    runs = {}
    for line in lines:
        if line["run_type"] == "iteration":
            runs.setdefault(line["run_name"].replace("/real_time", ""), []).append(line)
    return {name: sorted(of, key=lambda line: line["ratio"])[len(of) // 2] for name, of in runs.items()}


def families(figures, keyword):
    """Figures that differ in one number only, as {name without it: {number: figure}}."""
    found = {}
    for name, figure in figures.items():
        if match := re.fullmatch(rf"(.*)/{keyword}:(\d+)", name):
            found.setdefault(match[1], {})[int(match[2])] = figure
    return found


def verdicts(figures):
    """(what, figure, bound) for every bound that the figures can be held to."""
    for name, figure in figures.items():
        if name.startswith(NO_BOUND):
            continue
        threads = re.search(r"threads:(\d+)", name)
        if not threads or int(threads[1]) == 1:
            yield f"{name}: malloc pairs", figure["ratio"], ONE_THREAD
    for keyword, bound in (("live", FLAT), ("holes", FLAT), ("streams", FLAT_STREAMS)):
        for name, by_count in families(figures, keyword).items():
            if len(by_count) > 1:
                costs = [figure["ratio"] for figure in by_count.values()]
                yield f"{name}: dearest over cheapest, {keyword} {min(by_count)} to {max(by_count)}", \
                    max(costs) / min(costs), bound
    for name, by_threads in families(figures, "threads").items():
        if {1, 2} <= by_threads.keys():
            yield f"{name}: two threads over one", by_threads[2]["ratio"] / by_threads[1]["ratio"], TWO_THREADS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=Path(__file__).parents[2] / "build" / "release")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.05, help="of each run of each line, at least")
    parser.add_argument("--filter", default=".", help="lines to run, a regular expression")
    options = parser.parse_args()
    figures = measure(options)
    if not figures:
        parser.error("no line has such a name")
    print(f"{'median of ' + str(options.runs) + f', {os.cpu_count()} processors':44}"
          f"{'pair ns':>10}{'malloc ns':>11}{'ratio':>8}{'driver calls a pair':>21}")
    for name, figure in figures.items():
        print(f"  {name:42}{figure['pair_ns']:10.1f}{figure['malloc_ns']:11.1f}{figure['ratio']:8.1f}"
              f"{figure['driver_calls']:21.4f}")
    print("\nbounds")
    broken = 0
    for what, figure, bound in verdicts(figures):
        holds = figure <= bound
        broken += not holds
        print(f"  {'holds ' if holds else 'BROKEN'}  {what}: {figure:.2f} (at most {bound:g})")
    print(f"{broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
