"""Nothing of the library's goes into a file of the program's: stderr is where the program means it to be, or nowhere."""

import os
import subprocess
import sys

import harness

STEPS = harness.PROGRAMS / "stderr_steps"
REPORT = "peak physical"
LINE = "out of memory on device 0"

# Uses CUDA by way of the shared runtime, as Python programs do, or the library's own C API.
PYTHON = """
import ctypes, os, subprocess, sys
def use_cuda(bytes=1 << 20):
    block = ctypes.c_void_p()
    {allocate}
"""
RUNTIME = 'ctypes.CDLL("libcudart.so.13").cudaMalloc(ctypes.byref(block), ctypes.c_size_t(bytes))'
PLUGIN = 'ctypes.CDLL(os.environ["LIBRARY"]).gmlake_malloc(ctypes.c_size_t(bytes), 0, None)'


class Stderr(harness.Case):
    """`first` is what descriptor 2 leads to at the start, `data` and `log` are files of the program's."""

    def setUp(self):
        super().setUp()
        self.first, self.data, self.log = (self.folder / name for name in ("first", "data", "log"))

    def run_it(self, *command, **settings):
        with open(self.first, "wb") as first:
            process = subprocess.run([str(c) for c in command], env=harness.environment(**settings), stderr=first,
                                     timeout=harness.TIMEOUT)
        self.assertEqual(process.returncode, 0, self.first.read_text())

    def text(self, path):
        return path.read_text() if path.exists() else ""

    def check(self, report=None, line=None):
        """Which of the files has the report, and which the line of the log; every other byte is wrong."""
        for path in (self.first, self.data, self.log):
            text = self.text(path)
            self.assertEqual(text.count(REPORT), 1 if path == report else 0, f"{path.name}: {text}")
            self.assertEqual(text.count(LINE), 1 if path == line else 0, f"{path.name}: {text}")
            if path not in (report, line):
                self.assertEqual(text, "", path.name)

    def steps(self, steps, **expected):
        self.run_it(STEPS, *steps)
        self.check(**expected)

    def test_as_it_was(self):
        self.steps(["cuda", "exhaust"], report=self.first, line=self.first)

    def test_closed(self):
        self.steps(["cuda", "close", "exhaust"])
        self.steps(["close", "cuda", "exhaust"])

    def test_a_file_that_got_the_number(self):
        self.steps(["cuda", "close", "open", self.data, "exhaust"])

    def test_a_file_that_got_the_number_of_what_was_closed_before(self):
        self.steps(["close", "look", "open", self.data, "cuda", "exhaust"])

    def test_its_stream_is_closed(self):
        self.steps(["cuda", "fclose", "open", self.data, "exhaust"])

    def test_a_daemon_s_log(self):
        self.steps(["close", "dup2", self.log, "cuda", "exhaust"], report=self.log, line=self.log)

    def test_a_daemon_that_opened_its_log_under_the_number(self):
        self.steps(["close", "open", self.log, "cuda", "exhaust"], report=self.log, line=self.log)

    def test_put_elsewhere_later(self):
        for how in (["dup2"], ["dup3"], ["close", "dup2"]):
            with self.subTest(how=how):
                self.steps(["cuda", *how, self.log, "exhaust"], report=self.log, line=self.log)
                self.log.unlink()

    def test_put_onto_itself(self):
        """As code does that is given the number by open()."""
        self.steps(["cuda", "close", "open", self.log, "same", "exhaust"], report=self.log, line=self.log)

    def test_put_elsewhere_then_closed(self):
        self.steps(["cuda", "dup2", self.log, "exhaust", "close", "open", self.data], line=self.log)

    def test_put_back(self):
        self.steps(["cuda", "dup2", self.log, "exhaust", "dup2", self.first], line=self.log, report=self.first)

    def test_reopened(self):
        """freopen is not seen: what it opened before the first use of CUDA is right, later nothing is written."""
        self.steps(["freopen", self.log, "cuda", "exhaust"], report=self.log, line=self.log)
        self.log.unlink()
        self.steps(["cuda", "freopen", self.log, "exhaust"])

    def test_a_child_that_shares_memory(self):
        """What it does with its descriptors is not what the program does with its own."""
        self.steps(["cuda", "vfork", self.data, "exhaust"], report=self.first, line=self.first)
        self.steps(["cuda", "dup2", self.log, "vfork", self.data, "exhaust"], report=self.log, line=self.log)

    def test_a_file_that_was_a_child_s_stderr(self):
        self.steps(["cuda", "vfork", self.data, "close", "open", self.data, "exhaust"])

    def test_a_forked_child(self):
        self.steps(["cuda", "fork", self.data, "exhaust"], report=self.first, line=self.first)

    def test_named_as_a_file(self):
        for name in ("/dev/stderr", "/proc/self/fd/2"):
            with self.subTest(name=name):
                self.run_it(STEPS, "cuda", "close", "open", self.data, GMLAKE_STATS_FILE=name)
                self.check()
                self.run_it(STEPS, "cuda", GMLAKE_STATS_FILE=name)
                self.check(report=self.first)

    def test_a_report_in_a_file_of_its_own(self):
        self.run_it(STEPS, "cuda", "close", "open", self.data, GMLAKE_STATS_FILE=self.log)
        self.check(report=self.log)

    def python(self, program, allocate=RUNTIME, **settings):
        self.run_it(sys.executable, "-c", PYTHON.format(allocate=allocate) + program, DATA=self.data, LOG=self.log,
                    LIBRARY=harness.LIBRARY, **settings)

    def test_python_puts_it_elsewhere(self):
        for inheritable in (True, False):  # dup2, dup3
            with self.subTest(inheritable=inheritable):
                self.python(f"""
use_cuda()
os.dup2(os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT), 2, inheritable={inheritable})
""")
                self.check(report=self.log)
                self.log.unlink()

    def test_python_opens_a_file_under_the_number(self):
        self.python("""
use_cuda()
os.close(2)
assert os.open(os.environ["DATA"], os.O_WRONLY | os.O_CREAT) == 2
""")
        self.check()

    def test_python_runs_programs(self):
        """By vfork or fork and exec; each has its own stderr, and the one that uses CUDA its own report."""
        self.python(f"""
use_cuda()
with open(os.environ["DATA"], "w") as data, open(os.environ["LOG"], "w") as log:
    subprocess.run(["sh", "-c", "true"], stderr=data, check=True)
    subprocess.run(["sh", "-c", "true"], stderr=data, check=True, preexec_fn=lambda: None)
    subprocess.run([{str(STEPS)!r}, "exhaust"], stderr=log, check=True)
""")
        self.assertIn(REPORT, self.text(self.log))
        self.assertIn("report of python", self.text(self.first))
        self.assertEqual(self.text(self.first).count(REPORT), 1)
        self.assertEqual(self.text(self.data), "")

    def test_in_a_fork_that_uses_cuda(self):
        """Which its parent, that only asked for a name, has not done."""
        self.python("""
ctypes.CDLL("libcudart.so.13").cudaMalloc
if os.fork() == 0:
    os.dup2(os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT), 2)
    use_cuda()
else:
    assert os.wait()[1] == 0
""")
        self.check(report=self.log)

    def test_opened_by_path(self):
        """Not in front of dup2 then: what it leads to at the first call is all that is right."""
        self.python("use_cuda()", PLUGIN, preload=False)
        self.check(report=self.first)
        for program in ("os.close(2); os.open(os.environ['DATA'], os.O_WRONLY | os.O_CREAT)",
                        "os.dup2(os.open(os.environ['LOG'], os.O_WRONLY | os.O_CREAT), 2)"):
            self.python(f"use_cuda()\n{program}\nuse_cuda(1 << 40)", PLUGIN, preload=False)
            self.check()


if __name__ == "__main__":
    harness.main()
