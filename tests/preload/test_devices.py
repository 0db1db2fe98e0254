"""Memory of one device is copied, set and opened to another as natively: tests/programs/devices.cpp."""

import harness

SETTINGS = {"SIMCUDA_SEED": None, "SIMCUDA_DEVICES": 2, "SIMCUDA_MEMORY": "256MiB"}


class Devices(harness.Case):
    def check(self, *what, **more):
        for api in ("shared", "static"):
            with self.subTest(api=api):
                program = harness.PROGRAMS / f"devices_{api}"
                settings = {**SETTINGS, **more}
                native = harness.run(program, *what, env=harness.environment(preload=False, **settings))
                self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
                process, report = self.served(program, *what, **settings)
                self.assertEqual(process.stdout.splitlines(), native.stdout.splitlines())
                self.assertEqual(report["native_allocations"], 0)

    def test_programs_see_what_they_see_natively(self):
        self.check()

    def test_no_peers(self):
        self.check("apart", SIMCUDA_PEERS=0)

    def test_in_many_handles(self):
        self.check(GMLAKE_POOL_LARGEST_CHUNK="2MiB")

    def test_the_rules_hold(self):
        """Of mapped memory they are the program's own."""
        program = harness.PROGRAMS / "conformance_two_devices_test"
        process, report = self.served(program, **SETTINGS)
        self.assertRegex(process.stdout, r"\[  PASSED  \] [1-9]\d* tests")
        self.assertNotIn("FAILED", process.stdout)
        self.assertGreater(report["allocations"], 5)

    def test_the_pools_own_device_is_asked(self):
        for api in ("shared", "static"):
            with self.subTest(api=api):
                _, report = self.served(harness.PROGRAMS / f"devices_{api}", "ask", **{**SETTINGS, "SIMCUDA_MEMORY": "512MiB"})
                self.assertEqual(report["ladder_harvests"], 0)


if __name__ == "__main__":
    harness.main()
