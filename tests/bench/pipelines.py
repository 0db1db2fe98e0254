#!/usr/bin/env python3
"""What order across streams is worth: the table of docs/streams.md, and whether it holds its bounds.

    tests/bench/pipelines.py [--gmlake build/release/bin/gmlake] [--streams 2 8 64] [--items 500]

Generates pipelines of producers and consumers, each stage on a stream of its own, put in order by events alone, and
replays each one three times: as it is, with all its streams as one, and with pools that know nothing of each other's
order (the policies off). No work is complete before the host has waited for it, unless a program says otherwise.
Stitching is not bounded by time: a replay has no time between its rows. Exit status 1 if a bound is broken.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

OVER_ONE_STREAM = 1.02  # physical memory over that of the same work on one stream
QUERIES = 0.01  # of events, for each allocation
IN_VAIN = 0.1  # where they are of no use
DEPTH = 2  # slots between two stages

SIZES = "--sequence 2048 --batch 4 --hidden 4096 --heads 32 --dtype bf16"
# What the program does about order decides what can be had. In the last two a stage knows nothing of what stages other
# than its neighbours have done lately, while sizes differ from item to item: memory is free that it may not have, unless
# the work turns out to be complete.
PROGRAMS = {  # its words, when work is complete, and the bounds that hold
    "equal": ("--ffn 4096", "never", ("physical", "queries")),
    "two sizes": ("--ffn 16384", "never", ("physical", "queries")),
    "any size, lockstep": ("--variable-sequence random --wait-for round", "never", ("physical", "queries")),
    "any size, complete at once": ("--variable-sequence random", "0", ("physical",)),
    "any size": ("--variable-sequence random", "never", ("few in vain",)),
}


def settings(**values):
    return [word for name, value in values.items() for word in ("--set", f"{name.replace('__', '.')}={value}")]


NO_TIME = settings(stitch__time_budget=1, stitch__worth=0)
PER_STREAM = settings(streams__follow_events="false", streams__reuse_completed="false", streams__insert_waits="false")


def least(trace):
    """Bytes of blocks of which no one's free is ordered before another's allocation, in a pipeline that waits for its
    neighbours: no pool can do with less while no work completes by itself. The blocks are those between the stages at
    one moment; a stage may be up to DEPTH items behind the one before it, or one less."""
    stages = {}
    with open(trace, newline="", encoding="ascii") as rows:
        for row in csv.DictReader(rows):
            if row["Action"] == "allocate":
                stages.setdefault(row["Stream"], []).append(int(row["Size"]))
    items = [[a + b for a, b in zip(sizes[::2], sizes[1::2])] for sizes in stages.values()]
    count, last = len(items[0]), len(items) - 1

    def held(stage, first):
        return sum(items[stage][max(0, first):max(0, first + (1 if stage == last else DEPTH))])

    most = {first: held(0, first) for first in range(1 - DEPTH, count)}  # by first item between this stage and the next
    for stage in range(1, last + 1):
        behind = (0, 1) if stage == last else (DEPTH - 1, DEPTH)
        reached = {}
        for first, held_before in most.items():
            for here in (first - step for step in behind):
                reached[here] = max(reached.get(here, 0), held_before + held(stage, here))
        most = reached
    return max(most.values())


def problems(shared, one, bounds):
    if shared["inserted_waits"] or shared["fence_waits"]:
        yield "waits although memory is free"
    if "physical" in bounds and shared["peak_physical_bytes"] > OVER_ONE_STREAM * one["peak_physical_bytes"]:
        yield "physical memory"
    if "queries" in bounds and shared["fence_queries_per_allocation"] >= QUERIES:
        yield "queries"
    if "few in vain" in bounds and shared["fence_queries_per_allocation"] >= IN_VAIN:
        yield "queries in vain"


def measure(options, program, streams, trace):
    words, lag, bounds = PROGRAMS[program]

    def replay(*more):
        done = subprocess.run([options.gmlake, "replay", trace, "--json", "--device-memory", "80GiB", "--lag", lag,
                               *NO_TIME, *more], check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)[0]

    subprocess.run([options.gmlake, "trace", "generate", "--mode", "pipeline", *SIZES.split(), *words.split(),
                    "--depth", str(DEPTH), "--streams", str(streams), "--iterations", str(options.items),
                    "--output", trace], check=True)
    one, shared, apart = replay("--one-stream"), replay(), replay(*PER_STREAM)
    base = one["peak_physical_bytes"]
    ordered = "" if "physical" in bounds else f"{least(trace) / base:.3f}"
    reuse, waits = shared["reuse"], shared["inserted_waits"] + shared["fence_waits"]
    row = (program, streams, f"{shared['allocations']:,}", f"{base / 2**30:.2f}",
           f"{shared['peak_physical_bytes'] / base:.3f}", ordered, f"{reuse['proved'] / shared['allocations']:.0%}",
           f"{shared['fence_queries_per_allocation']:.4f}", waits, f"{apart['peak_physical_bytes'] / base:.1f}",
           f"{apart['fence_waits']:,}")
    return row, [f"{program}, {streams} streams: {what}" for what in problems(shared, one, bounds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gmlake", type=Path,
                        default=Path(__file__).parents[2] / "build" / "release" / "bin" / "gmlake")
    parser.add_argument("--streams", type=int, nargs="+", default=[2, 4, 8, 16, 32, 64])
    parser.add_argument("--items", type=int, default=500)
    options = parser.parse_args()

    heads = ("pipeline", "streams", "allocations", "one stream GiB", "shared", "least", "proved", "queries/allocation",
             "waits", "per-stream pools", "their waits")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    broken = []
    with tempfile.TemporaryDirectory(prefix="gmlake-") as folder:
        for program in PROGRAMS:
            for streams in options.streams:
                row, wrong = measure(options, program, streams, str(Path(folder) / "trace.csv"))
                print("| " + " | ".join(map(str, row)) + " |", flush=True)
                broken += wrong
    for what in broken:
        print("beyond its bound: " + what, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
