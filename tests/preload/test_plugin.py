"""The C API for allocator plug-ins: by path alone, and in one process with the hooks."""

import harness

PROGRAM = harness.PROGRAMS / "plugin"
BLOCK = 64 * harness.MIB


def each_way(test):
    """With the library opened by path only, and preloaded as well."""

    def both(self):
        for preload in (False, True):
            with self.subTest(preload=preload):
                test(self, preload)

    return both


class Plugin(harness.Case):
    def call(self, what, preload=False, **settings):
        settings = {"SIMCUDA_CHECKS": "order,memory,handles", "SIMCUDA_MEMORY": "2GiB", **settings}
        process, report = self.served(PROGRAM, harness.LIBRARY, what, preload=preload, **settings)
        said = {}
        for line in process.stdout.splitlines():
            name, value = line.rsplit(" ", 1)
            said.setdefault(name, []).append(int(value))
        return said, report, process

    def check(self, said, **facts):
        """Values of `facts`, and 0 for every other line: what the driver answered."""
        expected = {name.replace("_", " "): value for name, value in facts.items()}
        for name, values in said.items():
            self.assertEqual(values, expected.get(name, [0] * len(values)), name)
        self.assertEqual(set(expected) - set(said), set())

    @each_way
    def test_before_any_other_call_of_cuda(self, preload):
        said, report, process = self.call("without_a_context", preload=preload)
        self.check(said, block=[1], same=[1])
        self.assertEqual(report["allocations"], 2)
        self.assertEqual(report["frees"], 1)
        self.assertEqual(process.stderr, "")

    @each_way
    def test_streams(self, preload):
        said, report, _ = self.call("streams", preload=preload)
        self.check(said, own_stream_at_once=[1], other_stream_when_done=[1])
        self.assertEqual(report["reuse_own_stream"], 1)
        self.assertEqual(report["reuse_completed"], 1)
        self.assertEqual(report["peak_physical_bytes"], 2 * BLOCK)

    @each_way
    def test_a_recorded_use_is_waited_for(self, preload):
        said, report, _ = self.call("record", preload=preload)
        self.check(said, reused_when_done=[1])
        self.assertEqual(report["peak_physical_bytes"], 2 * BLOCK)

    # Such frees are followed through the context: on a driver before 12.5 by events on all its streams.
    def test_on_a_driver_without_events_of_contexts(self):
        for what in ("record", "ended_stream"):
            with self.subTest(what=what):
                said, report, _ = self.call(what, preload=True, SIMCUDA_SEED=None, SIMCUDA_FAULTS="cuCtxRecordEvent:every=1=801")
                self.check(said, reused_when_done=[1])
                self.assertGreater(report["fences"], 0)
                self.assertEqual(report["fence_waits"], 0)

    def test_a_use_that_was_not_recorded_is_found(self):
        # No bytes to write, so that the two streams do not race on the machine as well.
        settings = {"SIMCUDA_CHECKS": "order", "SIMCUDA_BACKING": "none", "GMLAKE_STATS_REPORT": "none"}
        env = harness.environment(preload=False, **settings)
        process = harness.run(PROGRAM, harness.LIBRARY, "forget", env=env)
        self.assertIn("reused under work 1", process.stdout)
        self.assertEqual(process.returncode, 97, process.stderr)
        self.assertIn("[order]", process.stderr)

    @each_way
    def test_a_stream_that_ends(self, preload):
        said, _, _ = self.call("ended_stream", preload=preload)
        self.check(said, reused_when_done=[1])

    @each_way
    def test_misuse(self, preload):
        said, report, process = self.call("misuse", preload=preload, GMLAKE_POOL_NATIVE_FALLBACK="false")
        self.check(said, alive=[1])
        self.assertEqual(report["live_blocks"], 1)
        for device in (7, -1):
            self.assertIn(f"gmlake_malloc: device {device} has no stream", process.stderr)
        self.assertIn("out of memory on device 0", process.stderr)
        self.assertEqual(process.stderr.count("gmlake_free: "), 2)
        self.assertEqual(process.stderr.count("gmlake_record_use: "), 1)

    @each_way
    def test_capture(self, preload):
        said, report, _ = self.call("capture", preload=preload)
        self.check(said, beside=[1], nodes=[3], given_back=[1])
        self.assertEqual(len(said["reused under work"]), 3)
        self.assertEqual(report["bypass_capture"], 1)
        self.assertEqual(report["native_frees"], 1)

    @each_way
    def test_memory_of_a_graph(self, preload):
        said, report, _ = self.call("graph_memory", preload=preload)
        self.check(said)
        self.assertEqual(report["bypass_capture"], 1)
        self.assertEqual(report["native_frees"], 1)

    @each_way
    def test_devices(self, preload):
        said, report, process = self.call("devices", preload=preload, SIMCUDA_DEVICES=2)
        self.check(said, blocks=[2], same=[1])
        self.assertEqual(report["allocations"], 3)
        self.assertIn("gmlake_malloc: device 0 has no stream", process.stderr)

    def test_one_pool_for_all_doors(self):
        said, report, _ = self.call("mixed", preload=True)
        self.check(said, same=[1, 1])
        self.assertEqual(report["allocations"], 3)
        self.assertEqual(report["peak_physical_bytes"], BLOCK)

    def test_nothing_is_intercepted_by_path(self):
        said, report, _ = self.call("mixed", preload=False, SIMCUDA_CHECKS="order,memory")
        self.check(said, same=[0, 1], free=[1])  # invalid value: the driver does not know the pool's blocks
        self.assertEqual(report["allocations"], 1)
        self.assertEqual(report["live_blocks"], 1)

    @each_way
    def test_other_configurations(self, preload):
        for settings in (
            {"GMLAKE_HOOKS_DRIVER": "false"},
            {"GMLAKE_HOOKS_RUNTIME": "false"},
            {"GMLAKE_STREAMS_FREE": "synchronous"},
            {"GMLAKE_STREAMS_REUSE_COMPLETED": "false"},
            {"GMLAKE_POOL_MAX_BYTES": "64MiB"},
        ):
            with self.subTest(settings=settings):
                said, _, _ = self.call("record_unhindered", preload=preload, **settings)
                self.check(said)

    @each_way
    def test_without_the_pool(self, preload):
        said, report, _ = self.call("record_unhindered", preload=preload, GMLAKE_POOL_ENABLED="false")
        self.check(said)
        self.assertEqual(report["bypass_off"], 8)
        self.assertEqual(report["native_frees"], 8)

    def test_in_a_process_left_alone(self):
        env = harness.environment(preload=False, GMLAKE_DISABLE="1")
        process = harness.run(PROGRAM, harness.LIBRARY, "without_a_context", env=env)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("block 1", process.stdout)
        self.assertEqual(process.stderr, "")


if __name__ == "__main__":
    harness.main()
