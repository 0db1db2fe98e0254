"""Memory pools, native against preloaded: whose memory is whose, what each has in use, limits, thresholds, trims.

tests/programs/memory_pools.cpp prints what a program can see. All of it is to be the same, but that a pool may hold
less than natively.
"""

import harness
from harness import MIB

# Through the runtime door alone it is not seen that the program waits, nor its order.
DRIVER = ({}, {"GMLAKE_HOOKS_RUNTIME": "false"})
DOORS = (*DRIVER, {"GMLAKE_HOOKS_DRIVER": "false"})


class Pools(harness.Case):
    def compare(self, *what, doors=DOORS, **settings):
        """Both runs' lines; what is reserved with the library is at most what is natively."""
        for program, doors in (("memory_pools_shared", doors), ("memory_pools_static", doors[:1])):
            path = harness.PROGRAMS / program
            native = harness.run(path, *what, env=harness.environment(preload=False, **settings))
            self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
            self.assertTrue(native.stdout.endswith("end\n"))
            for door in doors:
                with self.subTest(program=program, door=door):
                    process, report = self.served(path, *what, **settings, **door)
                    theirs, ours = native.stdout.splitlines(), process.stdout.splitlines()
                    self.assertEqual([line for line in ours if not line.startswith("reserved")],
                                     [line for line in theirs if not line.startswith("reserved")])
                    for mine, its in zip(ours, theirs):
                        if mine.startswith("reserved") and door in DRIVER:
                            self.assertLessEqual(int(mine.split()[-1]), int(its.split()[-1]), (mine, its))
                    yield report, ours

    def check(self, *what, **settings):
        return list(self.compare(*what, **settings))

    def test_the_default_pool(self):
        for report, said in self.check("default"):
            self.assertEqual(report["native_allocations"], 0)
            # Trimmed, nothing is reserved; before that the program had set that all is.
            self.assertEqual(said[-4:], ["trimmed: used 0 high 23068672, in order 1", "reserved 0", said[-2], "end"])

    def test_no_threshold(self):
        for report, _ in self.check("no threshold", doors=DRIVER):
            self.assertEqual(report["trims"], 0)  # it is not kept to, where the program has not set it

    def test_a_threshold_is_kept_to(self):
        for report, said in self.check("threshold", doors=DRIVER):
            self.assertGreater(report["trimmed_bytes"], 192 * MIB - 1)
            self.assertEqual(report["physical_bytes"], 0)

    def test_a_pool_of_its_own(self):
        for report, _ in self.check("own"):
            self.assertEqual(report["native_allocations"], 0)

    def test_the_most_it_may_have(self):
        for report, _ in self.check("limit"):
            self.assertEqual(report["out_of_memory"], 0)  # the device had it

    def test_the_current_pool(self):
        for report, _ in self.check("current"):
            self.assertEqual(report["bypass_pool"], 1)
            self.assertEqual(report["native_allocations"], 1)

    def test_destroyed_with_memory_in_use(self):
        for report, _ in self.check("destroyed"):
            self.assertGreater(report["allocations"], 400)

    def test_a_pool_that_is_gone(self):
        """What was its memory is not looked at: the driver is not asked about it."""
        self.check("gone")
        process, _ = self.served(harness.PROGRAMS / "memory_pools_shared", "gone",
                                 SIMCUDA_FAULTS="cuMemAllocFromPoolAsync:1=719,cuMemPoolTrimTo:1=719,cuMemPoolSetAttribute:1=719")
        self.assertEqual(process.stdout.splitlines()[:6],
                         ["take 1", "trim 1", "get 1", "set 1", "make current 1", "destroy 1"])

    def test_reuse_as_the_program_says(self):
        for which, counter in (("order", "reuse_proved"), ("completed", "reuse_completed")):
            for on in (0, 1):
                with self.subTest(which=which, on=on):
                    for report, _ in self.check("from another", which, on, doors=DRIVER, SIMCUDA_SEED=None,
                                                SIMCUDA_MEMORY="1GiB"):
                        self.assertEqual(report[counter] > 0, on == 1)

    def test_waits_are_put_in_if_the_program_lets(self):
        full = {"SIMCUDA_SEED": None, "SIMCUDA_MEMORY": "256MiB"}
        for report, _ in self.check("from another", "waits", 1, doors=DRIVER, **full):
            self.assertGreater(report["ladder_inserted_waits"], 0)
        # Natively out of memory then; here the host waits.
        _, report = self.served(harness.PROGRAMS / "memory_pools_shared", "from another", "waits", 0, **full)
        self.assertEqual(report["ladder_inserted_waits"], 0)
        self.assertGreater(report["ladder_waits"], 0)

    def test_the_pool_switched_off(self):
        for report, _ in self.check("own", GMLAKE_POOL_ENABLED="false"):
            self.assertEqual(report["allocations"], 0)


class Conformance(harness.Case):
    """What is asked of the driver about memory pools is asked of the driver with the library in front."""

    def test_pools(self):
        program = harness.PROGRAMS / "conformance_driver_test"
        for preload in (False, True):
            with self.subTest(preload=preload):
                process = harness.run(program, "--gtest_brief=1", "--gtest_filter=Pools.*",
                                      env=harness.environment(preload=preload, GMLAKE_STATS_REPORT="none"))
                self.assertEqual(process.returncode, 0, process.stdout)


if __name__ == "__main__":
    harness.main()
