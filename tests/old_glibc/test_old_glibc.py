"""Debian 11's programs and its C library, 2.31, with the library in front: served, and otherwise as without it."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "preload"))
import harness

ROOT = Path(os.environ["OLDER_ROOT"])
LIBRARIES = [ROOT / "lib/x86_64-linux-gnu", ROOT / "usr/lib/x86_64-linux-gnu", harness.SIMCUDA]
LOADER = [ROOT / "lib/x86_64-linux-gnu/ld-2.31.so", "--library-path", ":".join(map(str, LIBRARIES))]


class OldGlibc(harness.Case):
    def both(self, *command, **settings):
        """What a command of that system does without the library and with it."""
        runs = []
        for preload in (False, True):
            env = harness.environment(preload=preload, SIMCUDA_SEED=None, GMLAKE_STATS_JSON_FILE=self.folder / "report.json",
                                      GMLAKE_STATS_REPORT="none", GMLAKE_LOG_LEVEL="error", PYTHONHOME=ROOT / "usr", PYTHONDONTWRITEBYTECODE=1, **settings)
            runs.append(harness.run(*LOADER, *command, env=env))
        native, loaded = runs
        self.assertEqual((loaded.returncode, loaded.stdout, loaded.stderr), (native.returncode, native.stdout, native.stderr))
        return native

    def test_it_is_that_library(self):
        native = self.both(ROOT / "usr/bin/python3.9", "-c", "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))")
        self.assertEqual((native.returncode, native.stdout), (0, "glibc 2.31\n"), native.stderr)

    def test_programs_without_cuda(self):
        for command in ([ROOT / "bin/ls", "-l", ROOT], [ROOT / "bin/ls", "/no/such/file"],
                        [ROOT / "bin/bash", "-c", "x=1; for i in 1 2 3; do x=$((x * i)); done; echo $x; exit 3"],
                        [ROOT / "usr/bin/python3.9", "-c", "import threading, json, ctypes; t = threading.Thread(target=print, "
                         "args=(json.dumps({'a': 1}),)); t.start(); t.join(); print(ctypes.CDLL(None).getpid() > 0)"]):
            with self.subTest(command=Path(command[0]).name):
                native = self.both(*command)
                self.assertTrue(native.stdout or native.stderr)

    def test_clients_are_served(self):
        for client in ("shared", "static"):
            for how in ("throw", "exit", "cancel"):
                with self.subTest(client=client, how=how):
                    report = self.folder / "report.json"
                    report.unlink(missing_ok=True)
                    native = self.both(harness.PROGRAMS / f"unwinding_{client}", how)
                    self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
                    served = harness.Report(json.loads(report.read_text()))
                    self.assertGreater(served["allocations"], 20)
                    self.assertEqual((served["live_blocks"], served["native_allocations"]), (0, 0))

    def test_python_through_ctypes(self):
        program = ("import ctypes; cuda = ctypes.CDLL('libcudart.so.13'); at = ctypes.c_void_p(); "
                   "print([cuda.cudaMalloc(ctypes.byref(at), ctypes.c_size_t(1 << 20)), cuda.cudaFree(at)])")
        native = self.both(ROOT / "usr/bin/python3.9", "-c", program)
        self.assertEqual(native.stdout, "[0, 0]\n", native.stderr)
        served = harness.Report(json.loads((self.folder / "report.json").read_text()))
        self.assertEqual(served["allocations"], 1)

    def test_the_command(self):
        for arguments in (["--version"], ["config", "show"], ["stats"]):
            with self.subTest(arguments=arguments):
                done = harness.run(*LOADER, harness.GMLAKE, *arguments, env=harness.environment(preload=False))
                self.assertNotIn("GLIBC", done.stderr)
                plain = harness.run(harness.GMLAKE, *arguments, env=harness.environment(preload=False))
                self.assertEqual((done.returncode, done.stdout, done.stderr), (plain.returncode, plain.stdout, plain.stderr))


if __name__ == "__main__":
    harness.main()
