"""One client, named by ctest, on simcuda: alone, or with the library in front, where it must find the same."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "preload"))
import harness

CLIENT = [os.environ["CLIENT_PYTHON"], os.environ["CLIENT_SCRIPT"]]


class Alone(harness.Case):
    def test_it_runs_on_simcuda(self):
        found, calls = self.run_client()
        self.assertGreater(len(found), 10)
        self.assertTrue(any(name.startswith("cuMemAlloc") for name in calls), calls)

    def run_client(self):
        """What the client printed, a line for each thing it found, and the driver's calls by name."""
        calls = self.folder / "calls.json"
        process = harness.run(*CLIENT, env=harness.environment(preload=False, SIMCUDA_LOG=f"stats:{calls}"))
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        return process.stdout.splitlines(), json.loads(calls.read_text())["calls"]


class Preloaded(harness.Case):
    def test_it_finds_the_same_under_the_library(self):
        alone, _ = Alone.run_client(self)
        process, report = self.served(*CLIENT)
        self.assertEqual(process.stdout.splitlines(), alone)
        self.assertGreater(report["allocations"], 0)


if __name__ == "__main__":
    harness.main()
