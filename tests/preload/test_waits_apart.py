"""While one thread waits for the GPU, others' calls that have nothing to do with it go on.

tests/programs/waits_apart.cpp holds up the GPU until they are through, so these runs are threaded.
"""

import harness

PROGRAM = harness.PROGRAMS / "waits_apart"
FULL = {"SIMCUDA_SEED": None, "SIMCUDA_MEMORY": "256MiB"}
ROOM = {"SIMCUDA_SEED": None, "SIMCUDA_MEMORY": "8GiB"}
SAID = "waited 1\nserved\n"


class Native(harness.Case):
    def test_all(self):
        for words in (("malloc", "unbounded"), ("async",), ("create", "unbounded"), ("evict", "unbounded")):
            with self.subTest(words=words):
                process = harness.run(PROGRAM, *words, env=harness.environment(preload=False, **FULL))
                self.assertEqual((process.returncode, process.stdout), (0, SAID), process.stderr)


class Served(harness.Case):
    # Each by the settings that make the pool wait there.
    def check(self, *words, **settings):
        process, report = self.served(PROGRAM, *words, **settings)
        self.assertEqual(process.stdout, SAID)
        return report

    def test_out_of_memory(self):
        report = self.check("malloc", "deferred", "unbounded", **FULL)
        self.assertGreater(report["fence_waits"], 0)

    def test_out_of_memory_on_a_stream(self):
        report = self.check("async", "deferred", GMLAKE_STREAMS_INSERT_WAITS="false", **FULL)
        self.assertGreater(report["ladder_waits"], 0)

    def test_a_stream_waits(self):
        self.assertGreater(self.check("async", "deferred", **FULL)["ladder_inserted_waits"], 0)

    def test_out_of_memory_in_a_call_of_the_program(self):
        self.assertGreater(self.check("create", "deferred", "unbounded", **FULL)["native_retries"], 0)

    def test_limit_on_pending_frees(self):
        self.assertGreater(self.check("malloc", "deferred", GMLAKE_STREAMS_PENDING_BYTES="0", **ROOM)["fence_waits"], 0)

    def test_a_stitched_range_is_to_go(self):
        report = self.check("evict", "deferred", "unbounded", GMLAKE_POOL_LARGEST_CHUNK="2MiB", GMLAKE_STITCH_TIME_BUDGET="1",
                            GMLAKE_STITCH_WORTH="0", GMLAKE_STITCH_GROWTH_SLACK="0", **ROOM)
        self.assertGreater(report["ladder_evictions"], 0)

    def test_synchronous_frees(self):
        self.check("malloc", "unbounded", GMLAKE_STREAMS_FREE="synchronous", **ROOM)


if __name__ == "__main__":
    harness.main()
