"""gmlake doctor on simcuda: fit or not, and why; costs of every call it promises."""

import json
import os
import subprocess
import unittest
from pathlib import Path

BUILD = Path(os.environ["GMLAKE_BUILD_DIR"])


def doctor(*arguments, **settings):
    environment = {k: v for k, v in os.environ.items()
                   if k == "SIMCUDA_SEED" or not k.startswith(("GMLAKE_", "SIMCUDA_", "LD_"))}
    environment |= {"LD_LIBRARY_PATH": str(BUILD / "lib" / "simcuda"), "SIMCUDA_MEMORY": "8GiB",
                    "GMLAKE_LIBRARY": str(BUILD / "lib" / "libgmlake.so"), **settings}
    return subprocess.run([BUILD / "bin" / "gmlake", "doctor", *arguments], env=environment, capture_output=True, text=True,
                          timeout=120)


class Doctor(unittest.TestCase):
    def test_fit(self):
        done = doctor()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("gmlake can serve programs here", done.stdout)
        self.assertIn("chunks of 2MiB can be made, mapped and written", done.stdout)
        self.assertIn("simcuda, a simulated device", done.stdout)

    def bad(self, **settings):
        done = doctor("--json", **settings)
        self.assertEqual(done.returncode, 69, done.stdout + done.stderr)
        found = json.loads(done.stdout)
        self.assertFalse(found["fit"])
        return {f["subject"]: f["text"] for f in found["findings"] if f["verdict"] == "BAD"}

    def test_says_what_is_bad(self):
        self.assertIn("GMLAKE_LIBRARY", self.bad(GMLAKE_LIBRARY="/nowhere/libgmlake.so")["library"])
        self.assertIn("pool.max_bytes", self.bad(GMLAKE_POOL_MAX_BYTES="much")["configuration"])
        self.assertIn("cuMemMap says CUDA_ERROR_OUT_OF_MEMORY", self.bad(SIMCUDA_FAULTS="cuMemMap:1=2")["device 0"])

    def test_costs(self):
        done = doctor("--costs", "--json", "--seconds", "15")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        self.assertTrue(document["simulated"])
        for cost in document["costs"]:
            self.assertGreater(cost["samples"], 0, cost)
            self.assertLessEqual(cost["median_us"], cost["p99_us"], cost)
        timed = {(c["call"], c["threads"], c["handle_bytes"] >> 20, c["handles"]) for c in document["costs"]}
        for call in ("cuMemAddressReserve", "cuMemCreate", "cuMemMap", "cuMemSetAccess, each handle",
                     "cuMemSetAccess, whole range", "cuMemUnmap, each handle", "cuMemUnmap, whole range", "cuMemRelease"):
            for threads in (1, 2, 4):
                self.assertIn((call, threads, 2, 256), timed)
        for call in ("cuEventCreate", "cuEventRecord", "cuEventQuery, pending", "cuCtxRecordEvent", "cuStreamGetId",
                     "cuCtxGetCurrent", "cuStreamIsCapturing"):
            self.assertIn((call, 4, 0, 0), timed)
        # 16 handles of 1 GiB do not fit, and that is said.
        self.assertTrue(any("16 handles of 1GiB" in text for text in document["left_out"]))

    def test_failing_call_is_named(self):
        done = doctor("--costs", SIMCUDA_FAULTS="cuEventCreate:3=2")
        self.assertEqual(done.returncode, 69)
        self.assertIn('stopped at "cuEventCreate": CUDA_ERROR_OUT_OF_MEMORY', done.stderr)
        done = doctor("--costs", SIMCUDA_FAULTS="cuMemUnmap:40=999")
        self.assertIn('stopped at "cuMemUnmap, whole range": CUDA_ERROR_UNKNOWN', done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
