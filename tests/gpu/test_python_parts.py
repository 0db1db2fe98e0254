"""The parts of tools/gpu-check that ask Python frameworks about gmlake: what they make of answers. A script stands in for the Python that
has the frameworks, and for NVML; pytorch_ways.py runs in it as it is.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["GMLAKE_BUILD_DIR"])
SOURCE = Path(os.environ["GMLAKE_SOURCE_DIR"])
STAND_IN = Path(__file__).with_name("stand_in_python.py")


class PythonParts(unittest.TestCase):
    def check(self, part, **answers):
        """What the part makes of them: its tables by title, and its problems."""
        folder = tempfile.TemporaryDirectory(prefix="gmlake-test-")
        self.addCleanup(folder.cleanup)
        out = Path(folder.name)
        (out / "answers.json").write_text(json.dumps(answers))
        environment = {**os.environ, "LD_LIBRARY_PATH": str(BUILD / "lib" / "simcuda"), "STAND_IN": str(out)}
        done = subprocess.run([sys.executable, SOURCE / "tools" / "gpu-check", "--build", BUILD, "--out", out / "out", "--only", part,
                               "--simulated-dry-run", "--python", STAND_IN], env=environment, capture_output=True, text=True, timeout=300)
        results = json.loads((out / "out" / "gpu-check.json").read_text())
        self.assertEqual(done.returncode, 1 if results["problems"] else 0, done.stdout + done.stderr)
        return {table["title"]: table["rows"] for table in results["tables"]}, results["problems"]

    def test_peaks(self):
        tables, problems = self.check("pytorch-peaks")
        self.assertEqual(problems, [])
        self.assertEqual([cells[1:] for cells in tables["Peaks, MiB (NVML)"]], [["1,000"] * 3 + ["900"] * 2 + ["0.900"]] * 5)
        self.assertEqual([cells[1:] for cells in tables["Later half of the steps, s"]], [["0.500"] * 5] * 5)

    def test_peaks_with_problems(self):
        tables, problems = self.check("pytorch-peaks", **{
            "lora, enable()": {"peak": 985}, "generation, run --pytorch": {"results": [7, 70000001]},
            "gpt2, enable()": {"results": [1.0, float("nan")]}, "graph, native": {"peak": 0}, "moe, expandable": {"fails": "no such model"}})
        expected = ["gpt2, enable(): other results than natively", "graph, native: no peak was measured", "moe, expandable: no such model",
                    "lora, enable(): peak 985 MiB, more than 0.98 of 1000", "generation, run --pytorch: other results than natively"]
        self.assertEqual([problem.split(": ", 1)[1][:len(words)] for problem, words in zip(problems, expected)], expected)
        self.assertEqual(len(problems), len(expected))
        self.assertEqual(tables["Peaks, MiB (NVML)"][2][2], "-")
        self.assertEqual(tables["Peaks, MiB (NVML)"][3][-1], "0.985")

    def test_checks(self):
        tables, problems = self.check("pytorch-checks")
        self.assertEqual(problems, [])
        (rows,) = tables.values()
        self.assertEqual(sum(cells[2] == "ok" for cells in rows), 20)
        self.assertEqual([cells[:3] for cells in rows if cells[2] != "ok"],
                         [["mem_pool", way, "refused, as documented"] for way in ("run --pytorch", "enable()")])

    def test_checks_with_problems(self):
        tables, problems = self.check("pytorch-checks", **{
            "ddp, enable()": {"ok": False}, "mem_pool, run --pytorch": {"fails": None, "ok": True}, "graph, native": {"fails": "no such stream"}})
        self.assertEqual([problem.split(": ")[1] for problem in problems], ["graph, native", "ddp, enable()", "mem_pool, run --pytorch"])
        (rows,) = tables.values()
        self.assertEqual(sum(cells[2] == "FAILED" for cells in rows), 3)

    def test_frameworks(self):
        tables, problems = self.check("frameworks")
        self.assertEqual(problems, [])
        (rows,) = tables.values()
        self.assertEqual([cells[2:4] for cells in rows], [["ok", "yes"]] * 9)

    def test_frameworks_with_problems(self):
        _, problems = self.check("frameworks", **{
            "cupy, gmlake": {"served": 0}, "cupy, preloaded": {"allocates": False}, "numba, gmlake": {"answers": [1, 3]},
            "rmm, native": {"fails": "No module named 'rmm'"}, "rmm, gmlake": {"left": 100 << 20}})
        expected = ["cupy, gmlake.cupy: nothing of its memory is gmlake's", "cupy, preloaded: nothing was served",
                    "numba, gmlake.numba: other answers", "rmm, native: exit status 1", "rmm, gmlake.rmm: 104857600 of 104857600 bytes"]
        self.assertEqual([problem.split("/", 1)[1][:len(words)] for problem, words in zip(problems, expected)], expected)
        self.assertEqual(len(problems), len(expected))


if __name__ == "__main__":
    unittest.main(verbosity=2)
