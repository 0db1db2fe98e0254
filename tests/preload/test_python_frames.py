"""Python's frames among those who hold the memory: as the interpreter itself has them, of each version that is here."""

import collections
import contextlib
import functools
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import harness

MIB = harness.MIB
PROGRAM = harness.SOURCE / "tests" / "preload" / "python_frames" / "program.py"
VERSIONS = range(9, 14)  # that are read; 3.N
ASK = """
import sys, sysconfig
if sys.implementation.name == "cpython" and not hasattr(sys, "gettotalrefcount") and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(sys.version_info[1], sys.executable)
"""


@functools.lru_cache(None)
def interpreters():
    """One of each version that is read, by number."""
    found = {}
    for name in (sys.executable, *(f"python3.{n}" for n in VERSIONS)):
        path = shutil.which(name)
        said = path and subprocess.run([path, "-c", ASK], capture_output=True, text=True).stdout.split(maxsplit=1)
        if said and int(said[0]) in VERSIONS:
            found.setdefault(int(said[0]), said[1].strip())
    assert found, f"no CPython of 3.{VERSIONS[0]} to 3.{VERSIONS[-1]} to try"
    return found


def in_words(frames):
    def text(function, file, line):
        file = re.sub("[\udc80-\udcff]", lambda half: f"\\u{ord(half[0]):04x}", file)
        return f"{function if len(function) < 96 else function[:93] + '...'} ({file if len(file) < 136 else '...' + file[-133:]}:{line})"
    return tuple(text(*frame) for frame in frames)


class Frames(harness.Case):
    def settings(self, **settings):
        return {"GMLAKE_STATS_JSON_FILE": self.folder / "report.json", "GMLAKE_STATS_REPORT": "none", "GMLAKE_STATS_SAMPLE_BYTES": "1MiB",
                "NATIVE_THREAD": harness.PROGRAMS / "libnative_thread.so", "PYTHONDONTWRITEBYTECODE": "1", **settings}

    def program(self, interpreter, mode, **settings):
        """What it says on each line, and who held its memory."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        process = harness.run(interpreter, PROGRAM, mode, env=harness.environment(**self.settings(**settings)))
        self.assertEqual(process.returncode, 0, process.stderr)
        return [json.loads(line) for line in process.stdout.splitlines()], json.loads(report.read_text())["who"], process.stderr

    def of_each_version(self, test, *modes, **settings):
        for number, interpreter in interpreters().items():
            for mode in modes:
                with self.subTest(version=f"3.{number}", mode=mode, **settings):
                    test(*self.program(interpreter, mode, **settings)[:2])

    def assert_told(self, said, who):
        """Each of the places that the program named, and how often: none else, and none twice."""
        self.assertNotEqual(said, [])
        told = collections.Counter()
        for holder in who["holders"]:
            self.assertNotEqual(holder["frames"], [], "the calls in C are there besides")
            told[tuple(holder["python"])] += holder["allocated"] // MIB
        self.assertEqual(told, collections.Counter(in_words(frames) for frames in said))

    def test_as_the_interpreter_has_them(self):
        for gil in ({}, {"ASK_WITH_GIL": "1"}):
            self.of_each_version(self.assert_told, "calls", "long_code", "names", "threads", "at_exit", **gil)

    def test_calls_in_c_end_at_the_interpreter(self):
        def holds(_, who):
            for holder in who["holders"]:
                self.assertIn("ffi", holder["library"])
                self.assertNotRegex(" ".join(holder["frames"]), r"_PyEval_|Py_RunMain|\bpython3|libpython3")
        self.of_each_version(holds, "calls")

    def test_code_that_is_gone_lends_its_name_to_none(self):
        def holds(said, who):
            self.assertLess(said.pop(), len(said), "no two at one address: this proves nothing")
            self.assert_told(said, who)
        self.of_each_version(holds, "gone")

    def test_children(self):
        self.of_each_version(self.assert_told, "fork", FORK="before")
        self.of_each_version(lambda said, who: self.assertEqual(len(said), 1), "fork", FORK="after")

    def test_the_end(self):
        def holds(_, who):
            self.assertTrue(any("ask_on" in holder["python"][0] for holder in who["holders"] if holder["python"]), who)
        for _ in range(5):
            self.of_each_version(holds, "end")

    def test_where_no_look_is_allowed_there_are_none(self):
        def holds(said, who):
            self.assertEqual(sum(holder["allocated"] for holder in who["holders"]), len(said) * MIB)
            self.assertEqual([holder["python"] for holder in who["holders"] if holder["python"]], [])
        self.of_each_version(holds, "refused")

    def test_the_text(self):
        for kind in ("text", "full"):
            _, _, text = self.program(sys.executable, "names", GMLAKE_STATS_REPORT=kind)
            self.assertIn("gr\u00f6\u00dfe (caf\u00e9/x.py:2)\n", text)
            self.assertIn("f (a\\x0ab\\x1b[2J\\xc2\\x9b.py:2)\n", text)
            self.assertRegex(text, r"ffi.*\n(.*\n)* +ascii \(plain.py:2\)\n +names \(.*program.py:\d+\)\n +<module> \(")

    def test_out_of_memory(self):
        picture = self.folder / "oom.json"
        self.program(sys.executable, "exhaust", GMLAKE_STATS_OOM_FILE=picture, SIMCUDA_MEMORY="1GiB", SIMCUDA_BACKING="none")
        first = json.loads(picture.read_text())["who"]["holders"][0]
        self.assertRegex(" ".join(first["python"]), r"^exhaust\.<locals>\.hold \(.*program\.py:\d+\) exhaust \(.* <module> \(|^hold \(.* exhaust \(")
        self.assertGreater(first["live"], 800 * MIB)

    @contextlib.contextmanager
    def waiting(self, env):
        with subprocess.Popen([sys.executable, PROGRAM, "wait"], env=env, stdout=subprocess.PIPE, text=True) as process:
            try:
                said = json.loads(process.stdout.readline())
                self.assertEqual(process.stdout.readline(), "ready\n")
                yield process, list(in_words(said))
            finally:
                process.kill()

    def test_a_process_that_runs_and_is_killed(self):
        env = harness.environment(**self.settings(GMLAKE_STATS_LIVE_FOLDER=self.folder / "pages", GMLAKE_LIVE_CONTROL="true"))
        (self.folder / "pages").mkdir()
        beside = {k: v for k, v in env.items() if k != "LD_PRELOAD"}

        def gmlake(*words):
            return harness.run(harness.GMLAKE, *words, env=beside)

        def shown():
            report, = json.loads(gmlake("stats", process.pid, "--json").stdout)["processes"]
            return [holder["python"] for holder in report.get("who", {}).get("holders", [])]

        with self.waiting(env) as (process, said):
            end = time.monotonic() + 30
            while shown() != [said]:
                self.assertLess(time.monotonic(), end, shown())
                time.sleep(0.05)
            self.assertIn(said[0] + "\n", gmlake("stats", process.pid).stdout)
            picture = self.folder / "now.json"
            dumped = gmlake("dump", process.pid, picture)
            self.assertEqual(dumped.returncode, 0, dumped.stderr)
            self.assertEqual(json.loads(picture.read_text())["who"]["holders"][0]["python"], said)
            process.send_signal(signal.SIGKILL)
            process.wait()
            gmlake("stats")  # recovers the report
        report = json.loads((self.folder / "report.json").read_text())
        self.assertTrue(report["process"]["recovered"])
        self.assertEqual(report["who"]["holders"][0]["python"], said)


if __name__ == "__main__":
    harness.main()
