"""Memory the pool keeps free goes back when the program asks, waits, or needs it elsewhere; running out is explained."""

import json

import harness
from harness import MIB

PROGRAM = harness.PROGRAMS / "giving_back"
USED = 64 * 8 * MIB


class GivingBack(harness.Case):
    def run_program(self, *what, **settings):
        process, report = self.served(PROGRAM, *what, SIMCUDA_MEMORY="1GiB", SIMCUDA_BACKING="none", **settings)
        return [tuple(line.rsplit(" ", 1)) for line in process.stdout.splitlines()], report, process

    def values(self, said, name):
        return [int(value) for key, value in said if key == name]

    def check_trim(self, what, **settings):
        said, report, _ = self.run_program(what, **settings)
        self.assertEqual(self.values(said, "use"), [0, 0])
        self.assertEqual(report["trims"], 1)
        self.assertGreaterEqual(report["trimmed_bytes"], USED - 64 * MIB)
        self.assertGreaterEqual(report["peak_physical_bytes"], USED)
        return said

    def test_trim_of_the_default_pool(self):
        said = self.check_trim("pool")
        self.assertEqual(self.values(said, "trim"), [0])
        self.assertEqual(self.values(said, "trim of no pool"), [1])

    def test_the_device_has_it_then(self):
        for what in ("pool", "api"):
            with self.subTest(what=what):
                said = self.check_trim(what, GMLAKE_HOOKS_DRIVER="false")
                before, after = self.values(said, "free")
                self.assertGreaterEqual(after - before, USED - 64 * MIB)

    def test_trim_by_name(self):
        said = self.check_trim("api")
        self.assertGreaterEqual(self.values(said, "given")[0], USED - 64 * MIB)
        self.assertEqual(self.values(said, "no such device"), [0])

    def test_a_program_s_own_physical_memory(self):
        said, report, _ = self.run_program("create")
        self.assertEqual(self.values(said, "create"), [0, 2])
        self.assertEqual(self.values(said, "use"), [0, 0])
        self.assertEqual(report["native_retries"], 1)

    def test_pitched_memory(self):
        said, report, _ = self.run_program("pitch")
        self.assertEqual(self.values(said, "pitch"), [0])
        self.assertEqual(self.values(said, "use"), [0, 0])
        self.assertEqual(report["native_retries"], 1)

    def test_a_kernel_s_first_launch(self):
        for call in ("cuLaunchKernel", "cuLaunchKernelEx", "cuLaunchCooperativeKernel"):
            with self.subTest(call=call):
                said, report, _ = self.run_program("launch", SIMCUDA_FAULTS=f"{call}:1=2")
                self.assertEqual(self.values(said, "launch"), [0, 0, 0])
                self.assertEqual(report["native_retries"], 1)
                self.assertGreater(report["trimmed_bytes"], 0)

    def test_a_stream_or_a_context(self):
        # The runtime has retained the primary context before there is a pool.
        for call, count in (("cuStreamCreate", 1), ("cuStreamCreateWithPriority", 1), ("cuCtxCreate_v2", 1), ("cuDevicePrimaryCtxRetain", 2)):
            with self.subTest(call=call):
                said, report, _ = self.run_program("more", SIMCUDA_FAULTS=f"{call}:{count}=2")
                self.assertEqual({int(value) for _, value in said}, {0}, said)
                self.assertEqual(report["native_retries"], 1)
                self.assertGreater(report["trimmed_bytes"], 0)

    def test_memory_of_a_graph(self):
        said, report, _ = self.run_program("graph")
        for call in ("instantiate", "upload", "launch", "wait", "use"):
            self.assertEqual(set(self.values(said, call)), {0}, call)
        self.assertEqual(report["native_retries"], 1)
        self.assertGreater(report["trimmed_bytes"], 0)

    def test_what_a_graph_needs_besides(self):
        for call, said_as in (("cuGraphInstantiateWithFlags", "instantiate"), ("cuGraphInstantiateWithParams", "instantiate"),
                              ("cuGraphUpload", "upload"), ("cuGraphLaunch", "launch")):
            with self.subTest(call=call):
                said, report, _ = self.run_program("graph", SIMCUDA_FAULTS=f"{call}:1=2")
                self.assertEqual(set(self.values(said, said_as)), {0})
                self.assertGreaterEqual(report["native_retries"], 1)

    def test_captures_that_end_otherwise(self):
        said, _, _ = self.run_program("abandon", SIMCUDA_CHECKS="order")
        during, after = self.values(said, "given")
        self.assertGreaterEqual(during, USED - 64 * MIB)  # its work was over before
        self.assertEqual(after, 0)

    def test_release_threshold(self):
        _, report, _ = self.run_program("nothing")
        self.assertEqual(report["trims"], 0)
        _, report, _ = self.run_program("nothing", GMLAKE_POOL_RELEASE_THRESHOLD="64MiB")
        self.assertLessEqual(report["physical_bytes"], 96 * MIB)
        self.assertGreater(report["trims"], 0)

    def test_release_threshold_at_an_event(self):
        _, report, _ = self.run_program("event", GMLAKE_POOL_RELEASE_THRESHOLD="64MiB")
        self.assertLessEqual(report["physical_bytes"], 96 * MIB)

    def test_share_of_the_device(self):
        _, report, _ = self.run_program("exhaust", GMLAKE_POOL_MAX_SHARE="0.5", GMLAKE_POOL_NATIVE_FALLBACK="false")
        self.assertLessEqual(report["peak_physical_bytes"], 512 * MIB)

    def test_head_room_is_used_last(self):
        said, report, _ = self.run_program("exhaust", GMLAKE_POOL_NATIVE_FALLBACK="false")
        self.assertEqual(self.values(said, "blocks"), [10])
        self.assertGreater(report["ladder_head_rooms"], 0)

    def test_out_of_memory_is_explained(self):
        picture = self.folder / "oom-%p.json"
        said, report, process = self.run_program("exhaust", GMLAKE_STATS_OOM_FILE=picture)
        self.assertEqual(self.values(said, "error"), [2])
        self.assertIn("out of memory on device 0: 100.0 MiB were asked for; ", process.stderr)
        self.assertIn("missing", process.stderr)
        (file,) = self.folder.glob("oom-*.json")
        self.assertNotIn("%", file.name)
        document = json.loads(file.read_text())
        self.assertEqual(document["format"], "gmlake-out-of-memory")
        self.assertEqual(document["version"], 1)
        self.assertEqual(document["request"]["bytes"], 100 * MIB)
        memory = document["memory"]
        self.assertEqual(memory["physical"], report["physical_bytes"])
        missing = 100 * MIB - memory["free"] - min(memory["device_free"], memory["limit_left"])
        self.assertEqual(document["request"]["missing"], missing)
        self.assertGreater(missing, 0)
        live = [b for b in document["blocks"]]
        self.assertEqual(sum(b["requested"] for b in live), memory["live"])
        self.assertEqual(len(live), report["live_blocks"])
        sizes = {}
        for region in document["regions"]:
            sizes[region["state"]] = sizes.get(region["state"], 0) + region["size"]
        self.assertEqual(sum(sizes.values()) - sizes["absent"], memory["physical"])
        self.assertEqual(sizes.get("free", 0), memory["free"])
        self.assertEqual(document["counters"]["out_of_memory"], report["out_of_memory"])
        self.assertTrue(document["timelines"])

    def test_repeated_failures_are_counted(self):
        """A message and, for the first three of those, a picture at the 1st, the 10th, the 100th, ... failure."""
        said, _, process = self.run_program("exhaust", 1234, GMLAKE_STATS_OOM_FILE=self.folder / "oom.json",
                                            GMLAKE_STATS_REPORT="none")
        self.assertEqual(self.values(said, "got"), [])
        lines = [line for line in process.stderr.splitlines() if "out of memory on device 0" in line]
        self.assertEqual(len(lines), 4, process.stderr)
        self.assertNotIn("so far", lines[0])
        for line, number in zip(lines[1:], (10, 100, 1000)):
            self.assertIn(f"{number} requests have failed there so far", line)
        asked = {file.name: json.loads(file.read_text())["request"]["bytes"] for file in self.folder.glob("oom*")}
        self.assertEqual(asked, {"oom.json": 100 * MIB, "oom.2.json": 109 * MIB, "oom.3.json": 199 * MIB})

    def test_a_silent_log_has_pictures(self):
        self.run_program("exhaust", GMLAKE_STATS_OOM_FILE=self.folder / "oom.json", GMLAKE_LOG_LEVEL="off")
        self.assertTrue((self.folder / "oom.json").exists())


if __name__ == "__main__":
    harness.main()
