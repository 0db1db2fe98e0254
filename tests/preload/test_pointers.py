"""What can be asked about memory is answered for the pool's as natively: the conformance suite's rules on pointers,
and tests/programs/pointers.cpp."""

import harness

# Legacy IPC of pool memory is refused, and the answer says so.
OTHER = "Pointers.KnowWhetherTheyGoToOtherProcesses"
# Threads, and calls that return as early as a GPU's.
SETTINGS = {"SIMCUDA_SEED": None, "SIMCUDA_EARLY_RETURN": 1}


class Pointers(harness.Case):
    def test_the_rules_hold(self):
        program = harness.PROGRAMS / "conformance_driver_test"
        words = (f"--gtest_filter=Pointers.*:-{OTHER}",)
        process, report = self.served(program, *words, **SETTINGS)
        self.assertIn("[  PASSED  ]", process.stdout)
        self.assertGreater(report["allocations"], 40)

    def test_programs_see_what_they_see_natively(self):
        for api in ("shared", "static"):
            with self.subTest(api=api):
                program = harness.PROGRAMS / f"pointers_{api}"
                native = harness.run(program, env=harness.environment(preload=False, **SETTINGS))
                self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
                self.assertNotIn("own 0", native.stdout)
                process, report = self.served(program, "pages", **SETTINGS)
                self.assertEqual(process.stdout, native.stdout)
                self.assertEqual(report["native_allocations"], 0)


if __name__ == "__main__":
    harness.main()
