"""The program that checkpoints a pool (tests/gpu/checkpoint.cpp) is right about one that was not: what is left to try it
on is a driver that can."""

import harness


class Checkpoint(harness.Case):
    def test_the_pool_is_all_it_needs(self):
        program = harness.PROGRAMS / "gpu" / "checkpoint"
        # However long it takes: stitched ranges are made and stay.
        process, report = self.served(program, 256, GMLAKE_POOL_RELEASE_AFTER="0", GMLAKE_STITCH_TIME_BUDGET="1")
        self.assertIn("wrong blocks: 0\n", process.stdout)
        self.assertIn("all as before\n", process.stdout)
        self.assertIn("cuCheckpointProcessLock: ", process.stdout)
        self.assertGreater(report["stitches"], 0)
        self.assertGreater(report["hits_window"], 0)


if __name__ == "__main__":
    harness.main()
