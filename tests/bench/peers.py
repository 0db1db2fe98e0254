#!/usr/bin/env python3
"""What PyTorch's allocator does with a trace: a model of its policy, native and with expandable segments.

    tests/bench/peers.py TRACE.csv.gz... [--loops 2] [--gmlake build/release/bin/gmlake [--set OPTION...]]

Prints, for each trace, the driver calls of the first and of the last loop and the physical memory, for either
policy; with --gmlake beside what `gmlake replay` does with the same trace. The memory of the device is taken to be
unlimited, and everything is freed between loops.

Driver calls are counted as PyTorch makes them: one cudaMalloc for each segment of the native allocator; for
expandable segments one cuMemAddressReserve for each segment, one cuMemCreate and one cuMemMap for each page of it
(2 MiB for small requests, 20 MiB for large ones), and one cuMemSetAccess for each time that a segment grows.
"""

import argparse
import bisect
import csv
import gzip
import json
import subprocess
from collections import Counter
from pathlib import Path

MIB = 1 << 20
SMALL = MIB  # the largest request that is served from the pool for small ones
SMALL_PAGE, LARGE_PAGE = 2 * MIB, 20 * MIB
RESERVATION = 90 << 30  # of an expandable segment: the device's memory and an eighth


def round_up(size, step):
    return -(-size // step) * step


class Block:
    """A range of a segment: free, allocated, or (in an expandable segment) not mapped. Knows its neighbours."""

    def __init__(self, pool, at, size, mapped=True):
        self.pool, self.at, self.size, self.mapped = pool, at, size, mapped
        self.allocated = False
        self.before = self.after = None

    def free(self):
        return self.mapped and not self.allocated

    def cut(self, size):
        """The rest after the first `size` bytes becomes a block of its own."""
        rest = Block(self.pool, self.at + size, self.size - size, self.mapped)
        self.size = size
        rest.before, rest.after, self.after = self, self.after, rest
        if rest.after:
            rest.after.before = rest
        return rest

    def swallow_next(self):
        self.size += self.after.size
        self.after = self.after.after
        if self.after:
            self.after.before = self


class Pool:
    """One stream's requests up to 1 MiB, or its larger ones. A free block is found by size, then by address."""

    def __init__(self, small):
        self.small = small
        self.keys, self.blocks, self.unmapped = [], {}, {}

    def add(self, block):
        bisect.insort(self.keys, (block.size, block.at))
        self.blocks[block.at] = block

    def remove(self, block):
        del self.keys[bisect.bisect_left(self.keys, (block.size, block.at))]
        del self.blocks[block.at]

    def merge(self, block):
        """With its free neighbours; the result is in the list of free ones."""
        if block.before and block.before.free():
            block = block.before
            self.remove(block)
            block.swallow_next()
        if block.after and block.after.free():
            self.remove(block.after)
            block.swallow_next()
        self.add(block)
        return block


class Native:
    """The caching allocator as it comes: segments from cudaMalloc, best fit, split, never given back."""

    split_above = {True: 511, False: SMALL}  # what has to be left over for a block to be split, by pool.small

    def __init__(self):
        self.pools, self.calls = {}, Counter()
        self.physical, self.end = 0, 1 << 40

    def allocate(self, size, stream):
        size = max(512, round_up(size, 512))
        small = size <= SMALL
        pool = self.pools.setdefault((stream, small), Pool(small))
        block = self.find(pool, size)
        if block:
            pool.remove(block)
        else:
            block = self.grow(pool, size)
        if block.size - size > self.split_above[small]:
            pool.add(block.cut(size))
        block.allocated = True
        return block

    def free(self, block):
        block.allocated = False
        block.pool.merge(block)

    def find(self, pool, size):
        at = bisect.bisect_left(pool.keys, (size, 0))
        return pool.blocks[pool.keys[at][1]] if at < len(pool.keys) else None

    def new_segment(self, pool, size, mapped):
        block = Block(pool, self.end, size, mapped)
        self.end += round_up(size, SMALL_PAGE)
        return block

    def grow(self, pool, size):
        """A segment of 2 MiB, of 20 MiB for requests below 10 MiB, else of the request's own size."""
        whole = SMALL_PAGE if pool.small else LARGE_PAGE if size < 10 * MIB else round_up(size, SMALL_PAGE)
        self.calls["cudaMalloc"] += 1
        self.physical += whole
        return self.new_segment(pool, whole, mapped=True)


class Expandable(Native):
    """Each pool is one large reservation of addresses; its pages are mapped when they are needed."""

    split_above = {True: 511, False: 511}

    def find(self, pool, size):
        at = bisect.bisect_left(pool.keys, (size, 0))
        if at == len(pool.keys):
            return None

        def can_be(index):  # the size that the block could grow to counts
            block = pool.blocks[pool.keys[index][1]]
            return block.size + (block.after.size if block.after and not block.after.mapped else 0)

        while at + 1 < len(pool.keys) and can_be(at + 1) < can_be(at):
            at += 1
        return pool.blocks[pool.keys[at][1]]

    def grow(self, pool, size):
        """Maps what is missing after the free block before the lowest unmapped range that is large enough."""
        block = self.room(pool, size)
        if not block.mapped:
            block = self.map(block, min(size, block.size))
        while block.size < size:
            block = self.map(block.after, min(size - block.size, block.after.size))
        pool.remove(block)
        return block

    def room(self, pool, size):
        for at in sorted(pool.unmapped):
            start = block = pool.unmapped[at]
            if block.before and block.before.free():
                start = block = block.before
            room = 0
            while room < size and block and not block.allocated:
                room, block = room + block.size, block.after
            if room >= size:
                return start
        self.calls["cuMemAddressReserve"] += 1
        block = self.new_segment(pool, RESERVATION, mapped=False)
        pool.unmapped[block.at] = block
        return block

    def map(self, block, size):
        """Backs the first `size` bytes, in whole pages, of a block that is not mapped."""
        page = SMALL_PAGE if block.pool.small else LARGE_PAGE
        size = round_up(size, page)
        self.calls["cuMemCreate"] += size // page
        self.calls["cuMemMap"] += size // page
        self.calls["cuMemSetAccess"] += 1
        self.physical += size
        del block.pool.unmapped[block.at]
        if size < block.size:
            rest = block.cut(size)
            block.pool.unmapped[rest.at] = rest
        block.mapped = True
        return block.pool.merge(block)


def read(path):
    """The events of an allocation log: (block, size, stream), with size None for a free. Numbers blocks in order."""
    events, live, count = [], {}, 0
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt", encoding="ascii") as file:
        for row in csv.DictReader(file):
            pointer, action = row["Pointer"], row["Action"]
            if action == "allocate" and pointer != "(nil)":
                live[pointer] = count
                events.append((count, int(row["Size"]), int(row["Stream"], 0)))
                count += 1
            elif action == "free" and pointer in live:
                events.append((live.pop(pointer), None, None))
    return events


def peak_live(events):
    live, sizes, peak = 0, {}, 0
    for block, size, _ in events:
        live += sizes.setdefault(block, size) if size is not None else -sizes[block]
        peak = max(peak, live)
    return peak


def replay(allocator, events, loops):
    """The driver calls of each loop."""
    per_loop = []
    for _ in range(loops):
        before, live = allocator.calls.copy(), {}
        for block, size, stream in events:
            if size is None:
                allocator.free(live.pop(block))
            else:
                live[block] = allocator.allocate(size, stream)
        for block in live.values():
            allocator.free(block)
        per_loop.append(allocator.calls - before)
    return per_loop


def gmlake(program, path, loops, settings):
    words = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run([program, "replay", path, "--loops", str(loops), "--json", *words], check=True,
                          capture_output=True)
    return json.loads(done.stdout)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="allocation logs (CSV, also gzip)")
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--gmlake", type=Path, help="the gmlake command, whose replay is put beside")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION", help="for gmlake replay")
    options = parser.parse_args()

    names = ["native", "expandable"] + (["gmlake"] if options.gmlake else [])
    print(f"{'':34}{'':9}" + "".join(f"{name:>34}" for name in names))
    print(f"{'driver calls in a loop':34}{'live GiB':>9}"
          + f"{'first':>14}{'last':>8}{'live/phys.':>12}" * len(names))
    ahead = behind = 0
    for path in options.traces:
        events = read(path)
        peak = peak_live(events)
        columns = []
        for policy in (Native(), Expandable()):
            calls = [sum(loop.values()) for loop in replay(policy, events, options.loops)]
            columns.append((calls[0], calls[-1], peak / policy.physical))
        if options.gmlake:
            ours = gmlake(options.gmlake, path, options.loops, options.set)
            columns.append((ours["driver_calls_first_loop"], ours["driver_calls_last_loop"], ours["utilization"]))
            ahead, behind = (ahead + 1, behind) if columns[2][0] <= columns[1][0] else (ahead, behind + 1)
        print(f"{Path(path).name:34}{peak / (1 << 30):9.3f}"
              + "".join(f"{first:14,}{last:8,}{utilization:12.4f}" for first, last, utilization in columns))
    if options.gmlake:
        print(f"gmlake's first loop makes at most as many driver calls as expandable segments on {ahead} traces, "
              f"more on {behind}")


if __name__ == "__main__":
    main()
