"""Other threads' allocations break no capture: tests/programs/captures_beside_threads.cpp, which has six kinds of them."""

import random

import harness

APIS = ("shared", "static")
EACH = 250


class CapturesBesideThreads(harness.Case):
    def check(self, preload):
        seed = random.randrange(1 << 31)
        for api in APIS:
            with self.subTest(api=api, seed=seed):
                env = harness.environment(preload=preload, SIMCUDA_SEED=None, SIMCUDA_MEMORY="8GiB", GMLAKE_STATS_REPORT="none")
                process = harness.run(harness.PROGRAMS / f"captures_beside_threads_{api}", EACH, seed, env=env)
                self.assertEqual(process.returncode, 0, process.stdout + process.stderr[-2000:])
                self.assertIn("broken 0, failures 0\n", process.stdout)

    def test_natively(self):
        self.check(False)


if __name__ == "__main__":
    harness.main()
