"""The part of tools/demo that runs after the build: replays a trace three ways on two device sizes and says what
was seen. Every sentence it prints about the rows is checked first; the exit status is 1 if one does not hold.
"""

import argparse
import ctypes
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
OUT_OF_MEMORY = 3  # the client's exit status
# Steps whose sizes differ, and activations that are recomputed rather than kept: common, and hard on an allocator.
WORKLOAD = ["--model", "gpt2-medium", "--sequence", "1024", "--batch", "4", "--iterations", "4", "--recompute", "full",
            "--variable-sequence", "random"]
WORKLOAD_TEXT = "4 training steps of a GPT-2 medium sized model, activations recomputed, sequence lengths varying"
# What memory costs in driver calls: the functions that allocate natively, and those that a pool calls instead.
MEMORY_CALLS = re.compile(
    r"cuMem(Alloc|Free)(_v2|Async)(_ptsz)?|cuMem(AddressReserve|AddressFree|Create|Release|Map|Unmap|SetAccess)|"
    r"cuEvent\w+|cuCtxRecordEvent|cuStreamGetId(_ptsz)?")
EVENT_CALLS = ("cuEventRecord", "cuCtxRecordEvent", "cuEventQuery")
WAYS = {
    "native": None,
    "pool, no stitching": {"GMLAKE_STITCH_ENABLED": "false"},
    "gmlake": {},
}


def gib(count):
    return f"{count / (1 << 30):.3f} GiB"


def round_up(count, step):
    return -(-count // step) * step


def gpu_name():
    """The first GPU's name, or None without a driver or a device."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return None
    cuda.cuDeviceGetName(name, len(name), device)
    return name.value.decode()


def toolkit_cudart(build):
    """The folder of the CUDA Toolkit's libcudart.so.13, by where CMake found the headers."""
    include = re.search(r"^GMLAKE_CUDA_INCLUDE:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M).group(1)
    for folder in ("lib64", "lib"):
        if (Path(include).parent / folder / "libcudart.so.13").exists():
            return Path(include).parent / folder
    sys.exit(f"tools/demo: no libcudart.so.13 beside {include}; install it, or use --simulated")


@dataclass
class Row:
    """One run of the client."""

    way: str
    status: int
    client: dict  # what the program itself measured
    peak_physical: int
    driver_calls: int

    @property
    def done(self):
        return self.status == 0

    @property
    def utilisation(self):
        return self.client["peak_live_bytes"] / self.peak_physical

    def cells(self):
        failed = self.client["out_of_memory"]
        outcome = "done" if self.done else f"out of memory, {gib(failed['bytes'])} wanted" if failed else "failed"
        pattern = "not written" if not self.client["pattern_bytes"] else "damaged" if self.client["mismatches"] else "intact"
        return [self.way, gib(self.client["peak_live_bytes"]), gib(self.peak_physical), f"{self.utilisation:.4f}",
                f"{self.driver_calls:,}", f"{self.client['allocation_seconds'] * 1e3:,.1f} ms", outcome, pattern]


HEAD = ["", "peak live", "peak physical", "utilisation", "driver calls", "time in calls", "outcome", "pattern"]


def table(rows):
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    right = range(1, 6)  # figures
    for line in lines:
        print("  " + "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip())
    print()


class Demo:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.build = options.build.resolve()
        self.gpu = None if options.simulated else gpu_name()
        self.libraries = toolkit_cudart(self.build) if self.gpu else self.build / "lib" / "simcuda"
        self.trace = self.make_trace()
        self.wrong = []

    def command(self, *arguments, env=None, **keywords):
        return subprocess.run([str(a) for a in arguments], env=env, text=True, **keywords)

    def make_trace(self):
        path = self.folder / "trace.csv"
        given = self.options.trace
        if given and given.suffix == ".gz":
            path.write_bytes(gzip.decompress(given.read_bytes()))
        elif given:
            return given.resolve()
        else:
            self.command(self.build / "bin" / "gmlake", "trace", "generate", *WORKLOAD, "--output", path, check=True)
        return path

    def run(self, way, memory, settings=None):
        """Replays the trace; `memory` limits the device, or on a GPU the pool. `settings`: more of gmlake's."""
        name = f"{way.replace(', ', '-').replace(' ', '-')}-{memory // MIB}MiB"
        client, report, device = (self.folder / f"{name}.{kind}.json" for kind in ("client", "report", "device"))
        env = {k: v for k, v in os.environ.items() if not re.match(r"GMLAKE_|SIMCUDA_|LD_", k)}
        env["LD_LIBRARY_PATH"] = str(self.libraries)
        if not self.gpu:
            env |= {"SIMCUDA_MEMORY": str(memory), "SIMCUDA_LOG": f"stats:{device}"}
        if WAYS[way] is not None:
            env |= {"LD_PRELOAD": str(self.build / "lib" / "libgmlake.so"), "GMLAKE_STATS_JSON_FILE": str(report),
                    "GMLAKE_STATS_FILE": str(self.report_text(way, memory)), "GMLAKE_LOG_LEVEL": "error", **WAYS[way],
                    **(settings or {})}
            if self.gpu:
                env |= {"GMLAKE_POOL_MAX_BYTES": str(memory), "GMLAKE_POOL_NATIVE_FALLBACK": "false"}
        process = self.command(
            self.build / "tests" / "replay_client_shared", "--api", self.options.api, "--touch", self.options.touch,
            "--json", client, self.trace, env=env, stderr=subprocess.PIPE)
        if process.returncode not in (0, OUT_OF_MEMORY):
            sys.exit(f"tools/demo: the client failed ({way}, exit status {process.returncode}):\n{process.stderr}")
        measured = json.loads(client.read_text())
        if not self.gpu:  # the simulated device counts for itself
            seen = json.loads(device.read_text())
            calls = sum(count for name, count in seen["calls"].items()
                        if MEMORY_CALLS.fullmatch(name) and name not in EVENT_CALLS)
            return Row(way, process.returncode, measured, seen["peak_physical_bytes"], calls)
        if WAYS[way] is None:
            return Row(way, process.returncode, measured, measured["peak_used_bytes"], measured["operations"])
        total = json.loads(report.read_text())["total"]
        # To record or to ask an event takes a fraction of a microsecond and waits for nothing.
        calls = sum(call["calls"] for name, call in total["driver_calls"].items() if name not in EVENT_CALLS)
        return Row(way, process.returncode, measured, total["counters"]["peak_physical_bytes"], calls)

    def report_text(self, way, memory):
        return self.folder / f"{way}-{memory // MIB}MiB.report.txt"

    def claim(self, holds, text):
        print(f"  {'' if holds else 'NOT SEEN: '}{text}")
        if not holds:
            self.wrong.append(text)

    def roomy(self, peak_live):
        memory = round_up(peak_live * 3 // 2, MIB * 1024)
        if self.gpu:
            print(f"1. {self.gpu}; the pool may take {gib(memory)}, native memory all there is\n")
        else:
            print(f"1. A roomy device: {gib(memory)}\n")
        rows = native, plain, gmlake = [self.run(way, memory) for way in WAYS]
        table(rows)
        self.claim(all(row.done for row in rows), "All three finish.")
        self.same_work(rows)
        self.claim(native.driver_calls >= native.client["operations"],
                   f"Natively each of the {native.client['operations']:,} allocations and frees is a driver call"
                   + (", and each cudaFree waits for the device." if self.options.api == "malloc" else "."))
        self.claim(gmlake.driver_calls < native.driver_calls,
                   f"gmlake makes {gmlake.driver_calls:,} of them, "
                   + ("beside events that follow freed memory." if self.options.api == "malloc" else "as a hit needs none."))
        if self.options.api == "async":
            self.claim(gmlake.peak_physical < plain.peak_physical,
                       f"A pool without stitching takes {gib(plain.peak_physical - gmlake.peak_physical)} more than gmlake.")
        elif plain.peak_physical > native.peak_physical:
            print("  The pools do not wait on each cudaFree: until the device gets there, they take a bounded amount of new memory.")
        print()

    def small(self, peak_live):
        memory = round_up(int(peak_live * (1 + self.options.spare / 100)), 2 * MIB)
        limited = "the pool may take" if self.gpu else "the device has"
        print(f"2. {self.options.spare:g} % above the peak of live memory: {limited} {gib(memory)}\n")
        # How far the device lags behind the program decides what cudaFree has given back by when, and so where blocks
        # come to lie. With this little to spare the pools wait, as each cudaFree does natively.
        waiting = {"GMLAKE_STREAMS_FREE": "synchronous"} if self.options.api == "malloc" else {}
        if waiting:
            print("   Here each cudaFree waits for the device, in the pools too (streams.free = synchronous).\n")
        rows = native, plain, gmlake = [self.run(way, memory, waiting) for way in WAYS]
        table(rows)
        if plain.done and self.options.trace:
            self.claim(gmlake.done, "With this trace and this much to spare, both pools finish; try a smaller --spare.")
        else:
            failed = plain.client["out_of_memory"]
            self.claim(failed and failed["live_bytes"] + failed["bytes"] <= memory,
                       "The pool without stitching runs out of memory: enough is free, but not in one piece.")
            self.claim(gmlake.done, "gmlake finishes on the same device, by stitching free pieces together.")
        self.claim(native.done, "The native allocator, at a driver call for each operation, finishes too.")
        self.same_work(rows)
        print("\ngmlake's report at the end of that run:\n")
        print(self.report_text("gmlake", memory).read_text())

    def same_work(self, rows):
        if self.options.touch != "none":
            self.claim(all(row.client["mismatches"] == 0 and row.client["pattern_bytes"] for row in rows),
                       "In every row, each block still held what had been written into it when it was freed.")
        self.claim(len({row.client["peak_live_bytes"] for row in rows if row.done}) == 1,
                   "All rows that finish asked for the same memory.")

    def main(self):
        device = self.gpu or "simcuda, a simulated device (times are its, not a GPU's)"
        peak_live, events = self.peak_live()
        print(f"Device: {device}")
        print(f"Trace:  {self.options.trace or WORKLOAD_TEXT};")
        print(f"        {events:,} allocations and frees, peak of live memory {gib(peak_live)}")
        calls = "cudaMallocAsync and cudaFreeAsync" if self.options.api == "async" else "cudaMalloc and cudaFree"
        print(f"Client: tests/programs/replay_client.cpp, an ordinary CUDA program that calls {calls}\n")
        self.roomy(peak_live)
        self.small(peak_live)
        if self.wrong:
            print("tools/demo: not all of this was seen:\n  " + "\n  ".join(self.wrong), file=sys.stderr)
        return 1 if self.wrong else 0

    def peak_live(self):
        live, now, peak, events = {}, 0, 0, 0
        with open(self.trace) as file:
            for line in file:
                columns = line.strip().split(",")
                if len(columns) < 6 or columns[0] == "Thread":
                    continue
                events += 1
                if columns[2] == "allocate":
                    live[columns[3]] = int(columns[4])
                    now += live[columns[3]]
                    peak = max(peak, now)
                else:
                    now -= live.pop(columns[3])
        return peak, events


def main():
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--touch", choices=["all", "pages", "ends", "none"], default="pages")
    parser.add_argument("--api", choices=["async", "malloc"], default="async")
    parser.add_argument("--spare", type=float, default=1.5)
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        return Demo(options, options.keep.resolve()).main()
    with tempfile.TemporaryDirectory(prefix="gmlake-demo-") as folder:
        return Demo(options, Path(folder)).main()


if __name__ == "__main__":
    sys.exit(main())
