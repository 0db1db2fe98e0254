"""Runs real processes with and without the library in front: the environment, the report, traces to replay.

Used by all scripts in this folder. What the build is called and where it lies comes from ctest (CMakeLists.txt).
"""

import atexit
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["GMLAKE_BUILD_DIR"])
SOURCE = Path(os.environ["GMLAKE_SOURCE_DIR"])
PRELOAD_FIRST = os.environ.get("GMLAKE_PRELOAD_FIRST", "").split()  # a sanitizer's library, which must come first
LIBRARY = BUILD / "lib" / "libgmlake.so"
SIMCUDA = BUILD / "lib" / "simcuda"
GMLAKE = BUILD / "bin" / "gmlake"
PROGRAMS = BUILD / "tests"
MIB = 1 << 20
TIMEOUT = 600 if PRELOAD_FIRST else 120  # a sanitizer takes its time
# The pool is leaked on purpose: nothing may call CUDA once exit() has begun. A thread that is cancelled leaves its
# frames marked, and the sanitizer would find itself guilty when it takes its signal stack down among them.
ASAN_OPTIONS = "detect_leaks=0:use_sigaltstack=0"
# Where the processes of this script have their live pages: those that it kills leave theirs.
PAGES = tempfile.mkdtemp(prefix="gmlake-pages-")
atexit.register(shutil.rmtree, PAGES, ignore_errors=True)


def environment(preload=True, simcuda=True, **settings):
    """A clean environment with `settings` on top. Nothing of the caller's CUDA or gmlake settings is in it.

    A setting that is None is taken away: SIMCUDA_SEED, for a test of the threaded mode.
    """
    env = {k: v for k, v in os.environ.items() if k == "SIMCUDA_SEED" or not re.match(r"GMLAKE_|SIMCUDA_|CUDA_|NV_SANITIZER_|LD_|CLIENT_", k)}
    # simcuda is built with a sanitizer where the library is.
    preloaded = [*(PRELOAD_FIRST if preload or simcuda else []), *([str(LIBRARY)] if preload else [])]
    if preloaded:
        env["LD_PRELOAD"] = " ".join(preloaded)
    if simcuda:
        env["LD_LIBRARY_PATH"] = str(SIMCUDA)
    env["GMLAKE_STATS_LIVE_FOLDER"] = PAGES
    # gmlake run puts the library in front of it.
    env["ASAN_OPTIONS"] = ASAN_OPTIONS + ("" if preload else ":verify_asan_link_order=0")
    env.update({k: str(v) for k, v in settings.items()})
    return {k: v for k, v in env.items() if settings.get(k, v) is not None}


def run(*command, env, timeout=TIMEOUT):
    return subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, timeout=timeout)


class Case(unittest.TestCase):
    """A test with a folder of its own, removed afterwards."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gmlake-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def served(self, *command, status=0, **settings):
        """Runs `command` under the library; returns the process and the report it left as JSON."""
        report = self.folder / "report.json"
        settings = {"GMLAKE_STATS_JSON_FILE": report, "GMLAKE_STATS_REPORT": "none", **settings}
        process = run(*command, env=environment(**settings))
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        self.assertTrue(report.exists(), f"no report was written\n{process.stderr}")
        return process, Report(json.loads(report.read_text()))


class Report:
    """What the library said at exit, in JSON."""

    def __init__(self, document):
        total = document["total"]
        self.counters = total["counters"]
        self.unproved = total["unproved"]
        self.driver_calls = {name: call["calls"] for name, call in total["driver_calls"].items()}

    def __getitem__(self, counter):
        return self.counters[counter]


class TraceWriter:
    """An allocation trace in the making, in the order of calls."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = ["Thread,Time,Action,Pointer,Size,Stream"]
        self.live = {}
        self.live_bytes = 0
        self.peak_live_bytes = 0
        self.allocations = 0

    def allocate(self, size, stream=0):
        self.allocations += 1
        pointer = 0x700000000000 + self.allocations
        self.live[pointer] = (size, stream)
        self.live_bytes += size
        self.peak_live_bytes = max(self.peak_live_bytes, self.live_bytes)
        self._line("allocate", pointer, size, stream)
        return pointer

    def free(self, pointer):
        size, stream = self.live.pop(pointer)
        self.live_bytes -= size
        self._line("free", pointer, size, stream)

    def _line(self, action, pointer, size, stream):
        self.lines.append(f"0,00:00:00.{len(self.lines):06d},{action},{pointer:#x},{size},{stream:#x}")

    def write(self, path):
        path.write_text("\n".join(self.lines) + "\n")
        return path


def mixed_trace(path, seed=1, streams=1, events=600, most_live=192 * MIB):
    """Sizes from a few bytes to 24 MiB, freed in random order: memory gets scattered and must be put together."""
    trace = TraceWriter(seed)
    pick = trace.random
    for _ in range(events):
        size = pick.choice(
            [pick.randint(1, 4096), pick.randint(4096, MIB), pick.randint(MIB, 8 * MIB), 512 * pick.randint(1, 49152)])
        while trace.live and (trace.live_bytes + size > most_live or pick.random() < 0.3):
            trace.free(pick.choice(list(trace.live)))
        trace.allocate(size, pick.randrange(streams))
    while pick.random() < 0.9 and trace.live:  # some stay live to the end
        trace.free(pick.choice(list(trace.live)))
    trace.write(path)
    return trace


def main():
    """As unittest.main(), but a skipped test is a failed one."""
    program = unittest.main(exit=False, verbosity=2)
    sys.exit(0 if program.result.wasSuccessful() and not program.result.skipped else 1)
