"""tools/gpu-check on simcuda: it refuses it, runs dry when told to, marks what it writes, and survives a part's failure."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["GMLAKE_BUILD_DIR"])
SOURCE = Path(os.environ["GMLAKE_SOURCE_DIR"])


def check(*arguments, **settings):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(BUILD / "lib" / "simcuda"), **settings}
    return subprocess.run([sys.executable, SOURCE / "tools" / "gpu-check", "--build", BUILD, *map(str, arguments)],
                          env=environment, capture_output=True, text=True, timeout=1000)


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gmlake-test-")
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out"

    def results(self):
        return json.loads((self.out / "gpu-check.json").read_text()), (self.out / "gpu-check.md").read_text()

    def test_refuses_simcuda(self):
        done = check("--out", self.out)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("simcuda", done.stderr)
        self.assertFalse(self.out.exists())

    def test_refuses_unknown_parts(self):
        done = check("--out", self.out, "--simulated-dry-run", "--only", "costs,nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nonsense", done.stderr)

    def test_dry_run(self):
        done = check("--out", self.out, "--simulated-dry-run", "--seconds", 5)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        results, page = self.results()
        self.assertTrue(results["simulated"])
        self.assertIn("Simulated dry run", page)
        self.assertEqual({part["part"]: part["outcome"] for part in results["parts"]},
                         {"what-happens": "ok", "doors": "ok", "clients": "ok", "costs": "ok",
                          "growth": "ok", "devices": "ok"})
        tables = {table["title"]: table for table in results["tables"]}
        answers = {row[0]: row[1] for row in tables["What happens"]["rows"]}
        self.assertEqual(answers["set_access_many"], "CUDA_SUCCESS")
        self.assertEqual(answers["unmap_part_of_handle"], "CUDA_ERROR_INVALID_VALUE")
        self.assertEqual(answers["copy_device"], "yes")
        doors = {row[0]: row[2] for row in tables["Pointers from cuGetProcAddress against dlsym"]["rows"]}
        self.assertEqual(doors["cuMemAlloc_v2"], "yes")
        behind = tables["Driver calls behind each runtime call"]["rows"]
        self.assertIn("cuMemAllocAsync", behind[0][1])
        replayed = tables["Replay clients"]
        self.assertEqual({row[3] for row in replayed["rows"]}, {"ok"})
        served = [row for row in replayed["rows"] if row[2] == "gmlake"]
        self.assertEqual(len(served), 12)
        self.assertEqual({row[replayed["head"].index("pool: native")] for row in served}, {"0"})
        self.assertEqual(len([row for row in tables["Hit pairs in nanoseconds (median of three runs, turn about)"]["rows"]
                              if all(row[2:])]), 6)
        copies = {row[0]: row[1:] for row in tables["Copies and sets of the other device's memory"]["rows"]}
        self.assertEqual(copies["cuMemAlloc: cuMemcpyDtoD to it"], ["CUDA_SUCCESS"] * 2)
        self.assertEqual(copies["cuMemAllocAsync: cuMemsetD8"], ["CUDA_ERROR_INVALID_VALUE"] * 2)
        grown = tables["New memory, and memory had before, ms a GiB"]["rows"]
        self.assertEqual([row[:2] for row in grown][:2], [["async", "2"], ["async", "20"]])
        self.assertTrue(all(all(row) for row in grown))
        filled = {row[0]: row[1:] for row in tables["Two devices of unequal fill"]["rows"]}
        self.assertEqual(filled["of 10 on device 0, fit"], ["3", "3"])
        timed = {row[0] for title, table in tables.items() if "microseconds: median" in title
                 for row in table["rows"] if any(row[1:])}
        self.assertLessEqual({"cuMemCreate", "cuMemSetAccess, whole range", "cuCtxRecordEvent", "cuMemAlloc"}, timed)

    def test_merged_results(self):
        """Two runs become one page: a part that ran twice counts as it went last."""
        for name, parts in (("a", "costs,cupy"), ("b", "cupy,doors")):
            check("--out", self.out / name, "--simulated-dry-run", "--only", parts, "--seconds", 1, "--python", "/bin/false")
        page = self.out / "page.md"
        page.write_text("# Before\n<!-- results -->\nold\n<!-- /results -->\nafter\n")
        files = [self.out / name / "gpu-check.json" for name in ("a", "b")]
        done = check("--merge", *files, "--out", self.out / "both", "--page", page)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.out /= "both"
        results, _ = self.results()
        self.assertEqual([part["part"] for part in results["parts"]], ["costs", "doors", "cupy"])
        self.assertTrue(all(problem.startswith("cupy: ") for problem in results["problems"]))
        self.assertEqual(len(results["problems"]), len(set(results["problems"])))
        text = page.read_text()
        self.assertTrue(text.startswith("# Before\n") and text.endswith("<!-- /results -->\nafter\n"))
        self.assertNotIn("old", text)
        self.assertIn("Driver calls behind each runtime call", text)

    def test_a_failing_part_does_not_stop_the_others(self):
        done = check("--out", self.out, "--simulated-dry-run", "--only", "cupy,costs", "--seconds", 2, "--python", "/bin/false")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        results, page = self.results()
        outcomes = {part["part"]: part["outcome"] for part in results["parts"]}
        self.assertEqual(outcomes["costs"], "ok")
        self.assertNotEqual(outcomes["cupy"], "ok")
        self.assertTrue(results["problems"])
        self.assertIn(results["problems"][0][:40], page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
