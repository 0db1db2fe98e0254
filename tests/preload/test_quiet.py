"""A process that never calls CUDA must not notice the library: no output, same exit status, no libcuda."""

import sys

import harness

COMMANDS = [
    ["bash", "-c", "true"],
    ["bash", "-c", "exit 3"],
    ["bash", "-c", "ls / | head -1"],
    [sys.executable, "-c", "1"],
    [sys.executable, "-c", "import ctypes, threading, subprocess; print(ctypes.CDLL(None).getpid() > 0)"],
    ["ls", "/"],
    ["ls", "/does-not-exist"],
]


class Quiet(harness.Case):
    def compare(self, simcuda, commands=COMMANDS, **settings):
        for command in commands:
            with self.subTest(command=command):
                plain = harness.run(*command, env=harness.environment(preload=False, simcuda=simcuda))
                loaded = harness.run(*command, env=harness.environment(simcuda=simcuda, **settings))
                self.assertEqual(loaded.returncode, plain.returncode)
                self.assertEqual(loaded.stdout, plain.stdout)
                self.assertEqual(loaded.stderr, plain.stderr)

    def test_without_libcuda(self):
        self.compare(simcuda=False)

    def test_with_libcuda(self):
        self.compare(simcuda=True)

    def test_with_a_report_asked_for(self):
        report = self.folder / "report.%p.json"
        self.compare(simcuda=True, GMLAKE_STATS_JSON_FILE=report, GMLAKE_STATS_FILE=self.folder / "%p.txt")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_with_a_broken_configuration(self):
        self.compare(simcuda=True, GMLAKE_CONFIG="/does/not/exist.json")

    def test_loading_is_no_use(self):
        """Who only loads CUDA, as imports do, reads no configuration: one with a mistake is nothing to him."""
        commands = [[sys.executable, "-c", f"import ctypes; ctypes.CDLL({name!r})"] for name in ("libcuda.so.1", "libcudart.so.13")]
        for wrong in ({"GMLAKE_CONFIG": "/does/not/exist.json"}, {"GMLAKE_POOL_NONSENSE": "1"}):
            self.compare(simcuda=True, commands=commands, **wrong)

    def test_loads_no_cuda(self):
        maps = harness.run("cat", "/proc/self/maps", env=harness.environment()).stdout
        self.assertIn("/libgmlake.so", maps)
        self.assertNotIn("libcuda", maps)


if __name__ == "__main__":
    harness.main()
