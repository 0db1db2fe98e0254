"""One session of gpu-check: runs programs with timeouts, with and without the library, and keeps what they said."""

import json
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .machine import MemorySampler

TAIL = 1500
MIB = 1 << 20


@dataclass
class Table:
    title: str
    head: list
    rows: list = field(default_factory=list)
    note: str = ""

    def row(self, *cells):
        self.rows.append(["" if c is None else f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells])


@dataclass
class Run:
    """What became of one program."""

    name: str
    command: list
    status: int = None  # None: it ran past its time
    seconds: float = 0
    out: str = ""
    err: str = ""
    peak_bytes: int = None  # device memory above what was used before, by NVML
    report: dict = None  # what the library said

    @property
    def ok(self):
        return self.status == 0

    def lines(self):
        """The lines of JSON it printed."""
        found = []
        for line in self.out.splitlines():
            if line.startswith("{"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    found.append({"unreadable": line})
        return found

    def last(self):
        return (self.lines() or [{}])[-1]

    def failure(self):
        how = "ran past its time" if self.status is None else f"exit status {self.status}"
        return f"{how}: {(self.err or self.out).strip()[-TAIL:]}"

    def outcome(self):
        return "ok" if self.ok else "timeout" if self.status is None else f"status {self.status}"

    def counters(self):
        return self.report["total"]["counters"] if self.report else {}

    def document(self):
        kept = {"name": self.name, "command": shlex.join(map(str, self.command)), "status": self.status,
                "seconds": round(self.seconds, 3), "peak_mib": self.peak_bytes and self.peak_bytes // MIB}
        if self.lines():
            kept["said"] = self.lines()
        if not self.ok:
            kept["out_tail"], kept["err_tail"] = self.out[-TAIL:], self.err[-TAIL:]
        elif "gmlake" in self.err:
            kept["messages"] = [line for line in self.err.splitlines() if "gmlake" in line][:20]
        if self.report:
            kept["report"] = self.report["total"]
        return kept


class Started:
    """A program that was started. Its time and its device memory count from here, or from the line it waits for."""

    def __init__(self, session, run, folder, environment, cwd, waits):
        self.session, self.run, self.folder, self.waits = session, run, folder, waits
        self.sampler = MemorySampler()
        self.out, self.err = (open(folder / name, "w+b") for name in ("out", "err"))
        self.process = None
        if not waits:
            self.count()
        try:
            self.process = subprocess.Popen(run.command, env=environment, stdout=self.out, stderr=self.err, cwd=cwd,
                                            stdin=subprocess.PIPE if waits else subprocess.DEVNULL, start_new_session=True)
        except OSError as failure:
            run.err, run.status = f"could not be run: {failure}", 127

    def count(self):
        self.start = time.monotonic()
        self.sampler.__enter__()

    def finish(self, timeout=120, quiet=False):
        if self.waits:
            self.count()
        if self.process:
            self.wait(timeout)
        self.sampler.__exit__()
        run = self.run
        run.seconds = time.monotonic() - self.start
        run.peak_bytes = self.sampler.above_before()
        for file in (self.out, self.err):
            file.seek(0)
        run.out = self.out.read().decode(errors="replace")
        run.err += self.err.read().decode(errors="replace")
        self.out.close(), self.err.close()
        reports = [json.loads(path.read_text()) for path in self.folder.glob("report-*.json")]
        run.report = max(reports, key=lambda r: r["total"]["counters"]["allocations"], default=None)
        if not quiet or not run.ok:
            self.session.say(f"  {run.name}: {run.outcome()}, {run.seconds:.1f} s")
        if not run.ok:
            print("    " + run.failure()[-600:].replace("\n", "\n    "), flush=True)
        return run

    def wait(self, timeout):
        try:
            if self.waits:
                self.process.stdin.write(b"\n")
                self.process.stdin.close()
        except OSError:
            pass  # it has ended, and says why itself
        try:
            self.run.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired as failure:
                self.run.err = f"could not be ended: {failure}"


class Session:
    def __init__(self, machine, build, source, work, seconds):
        self.machine = machine
        self.build = build
        self.source = source
        self.work = work
        self.seconds = seconds  # for a part's whole work, or None: each takes what it needs
        self.start = time.monotonic()
        self.runs = []
        self.problems = []
        self.tables = []
        self.part = ""

    @property
    def simulated(self):
        return self.machine.simulated

    def say(self, text):
        print(f"[{time.monotonic() - self.start:6.1f} s] {text}", flush=True)

    def problem(self, text):
        self.problems.append(f"{self.part}: {text}")
        self.say(f"  PROBLEM: {text}")

    def table(self, title, *head, note=""):
        self.tables.append(Table(title, list(head), note=note))
        return self.tables[-1]

    def budget(self, wanted):
        """`wanted` seconds of measuring, scaled down to what --seconds gives the part."""
        return wanted if self.seconds is None else max(1.0, min(wanted, self.seconds))

    def test(self, name):
        return self.build / "tests" / name

    def run(self, name, *command, preload=False, timeout=120, quiet=False, cwd=None, python=False, **settings):
        """Runs a program; `settings` go into its environment. Under the library its report is kept too."""
        return self.begin(name, *command, preload=preload, cwd=cwd, python=python, **settings).finish(timeout, quiet)

    def begin(self, name, *command, preload=False, waits=False, cwd=None, python=False, **settings):
        """Starts a program. One that `waits` for a line on its standard input gets it by finish()."""
        environment = self.machine.environment if python else self.machine.program_environment()
        environment = {**environment, **{k: str(v) for k, v in settings.items()}}
        folder = self.work / f"run{len(self.runs)}"
        folder.mkdir()
        if preload:
            environment |= {"LD_PRELOAD": str(self.build / "lib" / "libgmlake.so"), "GMLAKE_STATS_REPORT": "none",
                            "GMLAKE_STATS_JSON_FILE": str(folder / "report-%p.json")}
        run = Run(f"{self.part}/{name}", [str(c) for c in command])
        self.runs.append(run)
        return Started(self, run, folder, environment, cwd, waits)

    def both(self, name, *command, **keywords):
        """The same program natively and under the library."""
        return (self.run(f"{name}, native", *command, **keywords),
                self.run(f"{name}, gmlake", *command, preload=True, **keywords))


def mib(count):
    return None if count is None else count // MIB


def ratio(a, b):
    return a / b if a is not None and b else None


def load_json(path):
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return {}
