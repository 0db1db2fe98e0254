"""One wheel, named by ctest, finds under the library what it finds natively, served or not: versions and last errors of
the runtime or driver that it brings along or looks for. Most of them end with an error on simcuda, the same one."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "preload"))
import harness

WHEEL = [os.environ["WHEELS_PYTHON"], Path(__file__).with_name("wheel.py"), os.environ["WHEEL"]]


class Wheel(harness.Case):
    def test_it_finds_the_same(self):
        native = harness.run(*WHEEL, env=harness.environment(preload=False))
        self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
        self.assertRegex(native.stdout, r"driver's version: .*13\d\d0")
        for settings in ({}, {"GMLAKE_DISABLE": 1}, {"GMLAKE_HOOKS_RUNTIME": "false"}, {"GMLAKE_HOOKS_DRIVER": "false"}):
            with self.subTest(settings=settings):
                env = harness.environment(GMLAKE_STATS_REPORT="none", GMLAKE_LOG_LEVEL="off", **settings)
                process = harness.run(*WHEEL, env=env)
                self.assertEqual(process.stdout, native.stdout)
                self.assertEqual(process.returncode, native.returncode)


if __name__ == "__main__":
    harness.main()
