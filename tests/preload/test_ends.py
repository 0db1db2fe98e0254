"""How streams and contexts end, and threads without one: all as without the library."""

import harness

PROGRAMS = harness.PROGRAMS
DRIVER_DOOR = ("true", "false")
# Of the manners in which simcuda runs work, those in which it may be far behind the host.
SEEDS = [seed for seed in range(2, 9) if seed % 4 != 1]


class Ends(harness.Case):
    def natively(self, *command, **settings):
        native = harness.run(*command, env=harness.environment(preload=False, **settings))
        self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
        return native

    def same(self, *command, **settings):
        """The program says the same natively and under the library; returns the report."""
        process, report = self.served(*command, GMLAKE_LOG_LEVEL="off", **settings)
        self.assertEqual(process.stdout, self.natively(*command, **settings).stdout)
        return report

    # Memory of a context that has ended is not the program's any more, all other memory is; all of it can be had again.
    def test_contexts(self):
        for way in ("destroy", "detach", "release", "reset", "detach_primary"):
            with self.subTest(way=way):
                report = self.same(PROGRAMS / "ends", way, SIMCUDA_MEMORY="64MiB", SIMCUDA_CHECKS="order,memory")
                self.assertEqual((report["native_allocations"], report["live_blocks"]), (0, 0))

    # The runtime's own call is seen by either door.
    def test_a_reset_without_the_driver_door(self):
        for door in DRIVER_DOOR:
            with self.subTest(driver_door=door):
                self.same(PROGRAMS / "recycled_stream", "reset", SIMCUDA_DEVICES=2, GMLAKE_HOOKS_DRIVER=door)

    def test_a_stream_s_handle_that_comes_back_for_another_device(self):
        for way in ("reset", "release", "detach", "destroy", "green"):
            with self.subTest(way=way):
                process, _ = self.served(PROGRAMS / "recycled_stream", way, SIMCUDA_DEVICES=2)
                self.assertEqual(process.stdout, "8 came back, memory of 8 on device 0\n")

    # What the thread's own calls say of its context costs no question; where they say that there is none, cudart makes
    # one current, and the driver refuses.
    def test_no_current_context(self):
        report = self.same(PROGRAMS / "no_context")
        self.assertEqual((report["native_allocations"], report["live_blocks"]), (0, 0))

    # What it came after is handed on as before.
    def test_a_stream_that_could_not_be_destroyed_keeps_its_order(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                process, report = self.served(PROGRAMS / "undestroyed_stream", "order", SIMCUDA_SEED=seed)
                self.assertEqual(process.stdout, "destroy: 999\n")
                self.assertEqual(report["reuse_proved"], 1)

    # And its work is still waited for, where that means to know it.
    def test_a_stream_that_could_not_be_destroyed_is_still_known(self):
        for door in DRIVER_DOOR:
            for seed in SEEDS:
                with self.subTest(driver_door=door, seed=seed):
                    process, _ = self.served(PROGRAMS / "undestroyed_stream", "work", SIMCUDA_SEED=seed,
                                             SIMCUDA_CHECKS="order,memory", GMLAKE_HOOKS_DRIVER=door)
                    self.assertEqual(process.stdout, "destroy: 999\n")


if __name__ == "__main__":
    harness.main()
