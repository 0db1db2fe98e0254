"""What others see of a process: its page while it runs, and the report of one that ends without writing any."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import harness

UNTIDY = harness.PROGRAMS / "untidy_ends"
GMLAKE = harness.GMLAKE

# A driver program in Python, that waits to be interrupted.
PYTHON = """
import ctypes, time
cuda = ctypes.CDLL("libcuda.so.1")
context, block = ctypes.c_void_p(), ctypes.c_uint64()
assert cuda.cuInit(0) == 0 and cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuCtxSetCurrent(context) == 0 and cuda.cuMemAlloc_v2(ctypes.byref(block), 3 << 20) == 0
print("ready", flush=True)
time.sleep(60)
"""


def figures(report):
    """What a report says that does not depend on when and where."""
    devices = report["devices"]
    for device in devices:
        for call in device["driver_calls"].values():
            del call["nanoseconds"]
    return devices


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


class Live(harness.Case):
    def setUp(self):
        super().setUp()
        self.pages = self.folder / "pages"
        self.pages.mkdir()
        self.report = self.folder / "report.json"

    def environment(self, preload=True, **settings):
        settings = {"GMLAKE_STATS_LIVE_FOLDER": self.pages, "GMLAKE_STATS_REPORT": "none",
                    "GMLAKE_STATS_JSON_FILE": self.report, "SIMCUDA_SEED": 1, **settings}
        if not preload and harness.PRELOAD_FIRST:  # gmlake run puts the library in front; a signal's end is the program's own
            settings["ASAN_OPTIONS"] = harness.ASAN_OPTIONS + ":verify_asan_link_order=0:handle_segv=0"
            settings["TSAN_OPTIONS"] = "handle_segv=0"
        return harness.environment(preload, **settings)

    def gmlake(self, *arguments, preload=False, **settings):
        return harness.run(GMLAKE, *arguments, env=self.environment(preload, **settings))

    @contextlib.contextmanager
    def waiting(self, *command, **settings):
        """A process that has used the device and waits; ended in the end."""
        command = command or (UNTIDY, "wait")
        process = subprocess.Popen([str(c) for c in command], env=self.environment(command[0] != GMLAKE, **settings),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            self.assertEqual(process.stdout.readline(), "ready\n")
            yield process
        finally:
            process.kill()
            process.communicate()

    def saved(self):
        return json.loads(self.report.read_text())

    def orderly(self):
        """The figures of an end in order."""
        process = harness.run(UNTIDY, "return", env=self.environment())
        self.assertEqual(process.returncode, 0, process.stderr)
        report = self.saved()
        self.assertFalse(report["process"]["recovered"])
        self.report.unlink()
        return figures(report)


class Ends(Live):
    """Under gmlake run a report is there however the program ended, and the end is the program's own."""

    def same_end(self, orderly, *command, status, act=None):
        if act:
            with self.waiting(GMLAKE, "run", "--", *command) as process:
                act(process)
                self.assertEqual(process.wait(harness.TIMEOUT), status)
        else:
            process = self.gmlake("run", "--", *command)
            self.assertEqual(process.returncode, status, process.stderr)
        report = self.saved()
        self.assertTrue(report["process"]["recovered"])
        if orderly is not None:
            self.assertEqual(figures(report), orderly)
        self.assertEqual(list(self.pages.iterdir()), [])
        self.report.unlink()

    def test_by_itself(self):
        orderly = self.orderly()
        for way, status in (("_exit", 0), ("quick_exit", 0), ("exec", 0), ("throw", -signal.SIGABRT),
                            ("terminate", -signal.SIGABRT), ("abort", -signal.SIGABRT), ("segv", -signal.SIGSEGV),
                            ("stack", -signal.SIGSEGV)):
            with self.subTest(way=way):
                self.same_end(orderly, UNTIDY, way, status=status)

    def test_by_a_signal(self):
        orderly = self.orderly()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(signal=number):
                self.same_end(orderly, UNTIDY, "wait", status=-number, act=lambda process: process.send_signal(number))

    def test_killed(self):
        def kill(process):
            child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
            os.kill(int(child), signal.SIGKILL)
        self.same_end(self.orderly(), UNTIDY, "wait", status=-signal.SIGKILL, act=kill)

    def test_interrupted_python(self):
        self.same_end(None, sys.executable, "-c", PYTHON, status=-signal.SIGINT,
                      act=lambda process: process.send_signal(signal.SIGINT))

    def test_a_forked_worker(self):
        """It uses CUDA, its parent does not."""
        orderly = self.orderly()
        self.assertEqual(self.gmlake("run", "--", UNTIDY, "fork").returncode, 0)
        self.assertEqual(figures(self.saved()), orderly)

    def test_the_text_goes_to_stderr(self):
        process = self.gmlake("run", "--", UNTIDY, "abort", GMLAKE_STATS_REPORT="text", GMLAKE_STATS_JSON_FILE="")
        self.assertIn("ended without a report", process.stderr)
        self.assertIn("250 allocations", process.stderr)

    # The parent is killed, and the program with it, as it would be alone; the next command finds the page.
    def test_gmlake_run_itself_is_killed(self):
        with self.waiting(GMLAKE, "run", "--", UNTIDY, "wait") as process:
            child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
            process.kill()
            until(lambda: not Path(f"/proc/{child}").exists() or "\nState:\tZ" in Path(f"/proc/{child}/status").read_text())
        self.assertFalse(self.report.exists())
        self.assertEqual(self.gmlake("config", "check").returncode, 0)
        self.assertTrue(self.saved()["process"]["recovered"])
        self.assertEqual(list(self.pages.iterdir()), [])

    def test_without_gmlake_run_the_next_command_recovers(self):
        orderly = self.orderly()
        with self.waiting() as process:
            process.kill()
        self.assertEqual(self.gmlake("stats").returncode, 0)
        self.assertEqual(figures(self.saved()), orderly)

    def test_a_report_for_stderr_waits_for_somebody(self):
        with self.waiting(GMLAKE_STATS_REPORT="text", GMLAKE_STATS_JSON_FILE="") as process:
            number = process.pid
        self.assertEqual(self.gmlake("stats").returncode, 0)
        shown = self.gmlake("report").stdout
        self.assertIn(f"(pid {number})", shown)
        self.assertIn("recovered: the process ended without a report", shown)
        self.assertIn("no process has ended without a report", self.gmlake("report").stderr)


class Page(Live):
    def test_it_goes_with_the_process(self):
        with self.waiting() as process:
            page, = self.pages.iterdir()
            self.assertTrue(page.name.startswith(f"{process.pid}-"))
            self.assertEqual(page.stat().st_mode & 0o777, 0o600)
            self.assertGreaterEqual(page.stat().st_blocks * 512, page.stat().st_size)
        page.unlink()
        self.assertEqual(harness.run(UNTIDY, "return", env=self.environment()).returncode, 0)
        self.assertEqual(list(self.pages.iterdir()), [])

    def test_the_user_s_own_folder(self):
        with self.waiting(GMLAKE_STATS_LIVE_FOLDER=None) as process:
            folder = Path(f"/dev/shm/gmlake-{os.geteuid()}")
            self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
            page, = folder.glob(f"{process.pid}-*.page")
        page.unlink(missing_ok=True)

    def test_none(self):
        with self.waiting(GMLAKE_STATS_LIVE="false") as process:
            self.assertEqual(list(self.pages.iterdir()), [])
            self.assertEqual(self.gmlake("stats", process.pid).returncode, 69)

    def test_no_room_for_it(self):
        """A limit on files, and a folder that is not there, cost the page alone."""
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        process = subprocess.run([UNTIDY, "return"], env=self.environment(GMLAKE_STATS_JSON_FILE="", SIMCUDA_BACKING="none"),
                                 capture_output=True, text=True, preexec_fn=limit)
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(list(self.pages.iterdir()), [])
        process = harness.run(UNTIDY, "return", env=self.environment(GMLAKE_STATS_LIVE_FOLDER="/no/such/folder"))
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertEqual(self.saved()["total"]["counters"]["allocations"], 250)

    def test_what_is_no_page(self):
        with self.waiting():
            page, = self.pages.iterdir()
            whole = page.read_bytes()
        page.unlink()
        for name, data in (("short", b"x"), ("empty", b""), ("zero", bytes(len(whole))), ("cut", whole[:-1]),
                           ("ones", whole[:9] + b"\xff" * (len(whole) - 9)), ("wild", whole[:8192 * 2] + b"\xff" * (len(whole) - 16384)),
                           ("other", b"another!" + whole[8:])):
            path = self.pages / f"1-{name}.page"
            path.write_bytes(data)
            shown = self.gmlake("stats", "--json")
            self.assertEqual(shown.returncode, 0, (name, shown.stderr))
            path.unlink(missing_ok=True)
        os.mkfifo(self.pages / "1-fifo.page")
        self.assertIn("no live page", self.gmlake("stats").stderr)


class Stats(Live):
    def test_while_it_runs(self):
        orderly = self.orderly()
        with self.waiting() as process:
            shown = self.gmlake("stats", process.pid, "--json")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            report, = json.loads(shown.stdout)["processes"]
            self.assertEqual(report["process"]["pid"], process.pid)
            self.assertEqual(figures(report), orderly)
            text = self.gmlake("stats", process.pid).stdout
            self.assertIn(f"report of untidy_ends (pid {process.pid})", text)
            self.assertIn("250 allocations", text)
            lines = self.gmlake("stats").stdout.splitlines()
            self.assertEqual(len(lines), 2)
            self.assertIn("untidy_ends", lines[1])
            metrics = self.gmlake("stats", "--prometheus").stdout
            self.assertRegex(metrics, r'(?m)^gmlake_allocations_total\{pid="%d",executable="untidy_ends",.*device="0"\} 250$' % process.pid)
            self.assertRegex(metrics, r'(?m)^# TYPE gmlake_live_bytes gauge$')
        missing = self.gmlake("stats", process.pid)
        self.assertEqual(missing.returncode, 69)
        self.assertIn(f"process {process.pid} has no page", missing.stderr)

    def test_who_holds_the_memory(self):
        def first(report):
            return (report.get("who", {}).get("holders") or [{}])[0]

        def shown(process):
            return first(json.loads(self.gmlake("stats", process.pid, "--json").stdout)["processes"][0])

        with self.waiting(harness.PROGRAMS / "holders_shared", "wait", GMLAKE_STATS_SAMPLE_BYTES="1MiB") as process:
            until(lambda: shown(process).get("live") == 32 * harness.MIB)
            holder = shown(process)
            self.assertEqual((holder["name"], holder["library"], holder["blocks"]), ("weights", "holders_shared", 4))
            self.assertRegex(holder["frames"][0], r"^holders_shared\+0x[0-9a-f]+$")
            self.assertIn('holders_shared, for "weights"; 32.00 MiB of it not freed', self.gmlake("stats", process.pid).stdout)
            until(lambda: shown(process)["oldest_seconds"] > holder["oldest_seconds"])  # though nothing changes
            process.kill()
            process.wait()
            self.gmlake("stats")  # recovers the report
        self.assertEqual(first(self.saved())["live"], 32 * harness.MIB)

    def test_who_holds_the_memory_of_two_devices(self):
        def first(process):
            report, = json.loads(self.gmlake("stats", process.pid, "--json").stdout)["processes"]
            return (report.get("who", {}).get("holders") or [{}])[0]

        with self.waiting(harness.PROGRAMS / "holders_shared", "wait", "2", GMLAKE_STATS_SAMPLE_BYTES="1MiB",
                          SIMCUDA_DEVICES=2) as process:
            until(lambda: first(process).get("live") == 64 * harness.MIB)

    def test_watching_until_it_ends(self):
        with self.waiting() as process:
            watch = subprocess.Popen([GMLAKE, "stats", "--watch", "0.05"], env=self.environment(False), text=True,
                                     stdout=subprocess.PIPE)
            self.assertIn("allocs/s", watch.stdout.readline())
            self.assertIn("untidy_ends", watch.stdout.readline())
            process.kill()
            process.wait()
            rest = watch.communicate(timeout=harness.TIMEOUT)[0]
        self.assertEqual(watch.returncode, 0)
        self.assertTrue(rest.endswith(f"{process.pid:>8} ended\n"), rest)

    def test_nobody_reads(self):
        with self.waiting():
            for options in (("stats", "--json"), ("stats", "--prometheus"), ("stats",)):
                with open("/dev/full", "w") as full:
                    self.assertEqual(subprocess.run([GMLAKE, *options], env=self.environment(False), stdout=full).returncode, 69)


class Terminal(Live):
    """What needs one: gmlake top, and gmlake run as a job of a shell."""

    def tmux(self, *arguments):
        # tmux itself is no place for a sanitizer.
        environment = self.environment(False, TERM="xterm", PS1="$ ", LD_PRELOAD=None)
        return subprocess.run(["tmux", "-f", "/dev/null", "-S", self.folder / "tmux", *map(str, arguments)], text=True,
                              env=environment, capture_output=True, check=True).stdout

    def start(self, *command):
        self.tmux("new-session", "-d", "-x", 120, "-y", 24, *command)
        self.addCleanup(subprocess.run, ["tmux", "-S", self.folder / "tmux", "kill-server"], capture_output=True)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def await_screen(self, *texts):
        try:
            until(lambda: all(text in self.screen() for text in texts))
        except AssertionError:
            self.fail(f"{texts} is not on the screen:\n{self.screen()}")

    def test_top(self):
        with self.waiting() as first, self.waiting() as second:
            self.start(GMLAKE, "top", "--interval", "0.1")
            self.await_screen("2 devices of processes", f"{first.pid} ", f"{second.pid} ", "22.23 MiB")
            self.tmux("send-keys", "/", second.pid, "Enter")
            self.await_screen("1 devices of processes", f"{second.pid} ")
            self.tmux("send-keys", "/", "Escape")
            self.await_screen("2 devices of processes", "by physical")
            self.tmux("send-keys", "l")
            self.await_screen("by live")
            first.kill()
            first.wait()
            self.await_screen("1 devices of processes", f"{second.pid} ")
            self.tmux("send-keys", "q")
            until(lambda: not (self.folder / "tmux").exists() or subprocess.run(
                ["tmux", "-S", self.folder / "tmux", "list-sessions"], capture_output=True).returncode != 0)

    def test_watching(self):
        with self.waiting() as first, self.waiting() as second:
            self.start("sh", "-c", f"{GMLAKE} stats --watch 0.2; echo over; sleep 60")
            self.await_screen(f"{first.pid} ", f"{second.pid} ")
            first.kill()
            first.wait()
            self.await_screen(f"{first.pid} ended")
            second.kill()
            second.wait()
            self.await_screen(f"{second.pid} ended", "over")

    def test_top_without_a_terminal(self):
        process = self.gmlake("top")
        self.assertEqual(process.returncode, 69)
        self.assertIn("must be a terminal", process.stderr)

    def test_a_job_of_a_shell(self):
        self.start("bash", "--norc", "--noprofile", "-i")
        self.tmux("send-keys", f"{GMLAKE} run -- {UNTIDY} wait", "Enter")
        self.await_screen("ready")
        self.tmux("send-keys", "C-z")
        self.await_screen("Stopped")
        self.tmux("send-keys", "clear; fg", "Enter")
        self.await_screen("run -- ")
        time.sleep(0.3)
        self.assertNotIn("Stopped", self.screen())
        self.tmux("send-keys", "C-c")
        self.await_screen("^C")
        self.tmux("send-keys", "echo status $?", "Enter")
        self.await_screen(f"status {128 + signal.SIGINT}")
        self.assertTrue(self.saved()["process"]["recovered"])


class Names(Live):
    # All four run at once; each that comes later than another sees it.
    def test_ranks_get_a_name_each(self):
        line = f"for i in 1 2 3 4; do {UNTIDY} return & done; wait"
        process = self.gmlake("run", "--", "sh", "-c", line)
        self.assertEqual(process.returncode, 0, process.stderr)
        reports = list(self.folder.glob("report*.json"))
        self.assertEqual(len(reports), 4, process.stderr)
        self.assertEqual(len({json.loads(report.read_text())["process"]["pid"] for report in reports}), 4)
        self.assertEqual(process.stderr.count("keeps them apart"), 3, process.stderr)
        merged = self.gmlake("report", *reports)
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertIn("sum of 4", merged.stdout)
        self.assertIn("1,000", merged.stdout)

    def test_an_earlier_report_is_replaced(self):
        for _ in range(3):
            self.assertEqual(self.gmlake("run", "--", UNTIDY, "return").returncode, 0)
            self.assertEqual(harness.run(UNTIDY, "return", env=self.environment()).returncode, 0)
        self.assertEqual([path.name for path in self.folder.glob("*.json")], ["report.json"])

    def test_one_after_the_other_in_a_run(self):
        self.assertEqual(self.gmlake("run", "--", "sh", "-c", f"{UNTIDY} return; {UNTIDY} _exit; {UNTIDY} abort; true").returncode, 0)
        self.assertEqual(len(list(self.folder.glob("report*.json"))), 3)

    def test_meanwhile(self):
        with self.waiting(GMLAKE, "run", "--set", "stats.interval=0.05", "--", UNTIDY, "wait") as process:
            until(lambda: self.report.exists() and self.saved()["total"]["counters"]["allocations"] == 250)
            first = self.saved()
            self.assertFalse(first["process"]["recovered"])
            process.send_signal(signal.SIGTERM)
            process.wait(harness.TIMEOUT)
        self.assertEqual([path.name for path in self.folder.glob("*.json")], ["report.json"])
        self.assertTrue(self.saved()["process"]["recovered"])
        self.assertEqual(self.saved()["total"]["counters"], first["total"]["counters"])

    def test_what_is_no_report(self):
        for text in ("", "{}", "[1]", '{"format": "gmlake-report"}', "\x1b[2J{"):
            self.report.write_text(text)
            process = self.gmlake("report", self.report)
            self.assertEqual(process.returncode, 65)
            self.assertNotIn("\x1b", process.stderr)


class Control(Live):
    def test_a_process_that_takes_no_commands(self):
        with self.waiting() as process:
            for command in ("trim", "limit", "dump"):
                said = self.gmlake(command, process.pid)
                self.assertEqual(said.returncode, 69)
                self.assertIn("start it with live.control=true", said.stderr)

    def test_trim_limit_and_dump(self):
        for release_after in ("0", "10"):
            with self.waiting(GMLAKE_LIVE_CONTROL="true", GMLAKE_POOL_RELEASE_AFTER=release_after) as process:
                read = lambda: json.loads(self.gmlake("stats", process.pid, "--json").stdout)["processes"][0]["total"]["counters"]
                before = read()
                self.assertEqual(self.gmlake("trim", process.pid, "1GiB").stdout, "0 B given back to the device\n")
                self.assertIn("given back to the device", self.gmlake("trim", process.pid).stdout)
                after = read()
                self.assertLess(after["physical_bytes"], before["physical_bytes"])
                self.assertEqual(after["live_bytes"], before["live_bytes"])
                picture = self.folder / "picture.json"
                self.assertEqual(self.gmlake("dump", process.pid, picture).stdout, f"{picture}\n")
                self.assertEqual(json.loads(picture.read_text())["format"], "gmlake-out-of-memory")
                self.assertEqual(self.gmlake("dump", process.pid, "/proc/none/picture.json").returncode, 69)
                self.assertEqual(self.gmlake("limit", process.pid, "40GiB").returncode, 0)
                self.assertEqual(self.gmlake("limit", process.pid, "many").returncode, 64)


if __name__ == "__main__":
    harness.main()
