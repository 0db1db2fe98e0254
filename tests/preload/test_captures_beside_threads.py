"""Other threads' allocations break no capture: tests/programs/captures_beside_threads.cpp, which has six kinds of them.

GMLAKE_TEST_LONG makes it 100,000 captures in all.
"""

import os
import random

import harness

APIS = ("shared", "static")
KINDS = 6
LONG = "GMLAKE_TEST_LONG" in os.environ
EACH = -(-100_000 // (KINDS * len(APIS))) if LONG else 250


class CapturesBesideThreads(harness.Case):
    def check(self, preload, each=EACH):
        seed = random.randrange(1 << 31)
        for api in APIS:
            with self.subTest(api=api, seed=seed):
                env = harness.environment(preload=preload, SIMCUDA_SEED=None, SIMCUDA_MEMORY="8GiB", GMLAKE_STATS_REPORT="none")
                process = harness.run(harness.PROGRAMS / f"captures_beside_threads_{api}", each, seed, env=env,
                                      timeout=3600 if LONG else harness.TIMEOUT)
                self.assertEqual(process.returncode, 0, process.stdout + process.stderr[-2000:])
                self.assertIn("broken 0, failures 0\n", process.stdout)

    def test_natively(self):
        self.check(False, min(EACH, 250))

    def test_served(self):
        self.check(True)


if __name__ == "__main__":
    harness.main()
