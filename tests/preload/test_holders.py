"""Who holds the memory: in the report at exit, as text and JSON, and in the picture of a request that failed."""

import json
import unittest

import harness

MIB = harness.MIB


class Holders(harness.Case):
    def report(self, program, *arguments, sample="1MiB", status=0, **settings):
        path = self.folder / "report.json"
        settings = {"GMLAKE_STATS_JSON_FILE": path, "GMLAKE_STATS_REPORT": "none", "GMLAKE_STATS_SAMPLE_BYTES": sample, **settings}
        process = harness.run(harness.PROGRAMS / program, *arguments, env=harness.environment(**settings))
        self.assertEqual(process.returncode, status, process.stderr)
        return json.loads(path.read_text()), process.stderr

    def holder(self, who, name):
        found = [one for one in who["holders"] if one["name"] == name]
        self.assertEqual(len(found), 1, who)
        return found[0]

    def test_each_place_with_its_name_calls_and_library(self):
        for program in ("holders_shared", "holders_static"):
            with self.subTest(program=program):
                who = self.report(program)[0]["who"]
                self.assertEqual(who["sample_bytes"], MIB)
                weights = self.holder(who, "weights")
                self.assertEqual((weights["at_peak"], weights["allocated"]), (32 * MIB, 32 * MIB), "large ones are exact")
                self.assertEqual((weights["live"], weights["blocks"]), (8 * MIB, 1), "what is not freed")
                self.assertEqual(weights["library"], program)
                self.assertEqual(weights["stream"], "host")
                self.assertTrue(any(frame.startswith("ask_for_weights (") for frame in weights["frames"]), weights["frames"])
                activations = self.holder(who, "activations")
                self.assertEqual((activations["live"], activations["blocks"]), (0, 0))
                self.assertEqual(activations["stream"], "legacy")
                self.assertTrue(any("ask_for_activations" in frame for frame in activations["frames"]), activations["frames"])
                self.assertEqual(who["live"], 8 * MIB)

    def test_ranges_of_nvtx_are_names(self):
        for depth in (0, 100):  # more than have names of their own
            with self.subTest(depth=depth):
                report = self.folder / "report.json"
                process = harness.run(harness.GMLAKE, "run", "--set", "stats.sample_bytes=1MiB", "--json", report, "--",
                                      harness.PROGRAMS / "ranges", depth,
                                      env=harness.environment(False, GMLAKE_STATS_REPORT="none"))
                self.assertEqual((process.returncode, process.stdout), (0, "0 1 2 2 1 0 0 0 0 1 1 0 1 0 1 0 -2 \n"), process.stderr)
                asked = {}
                for holder in json.loads(report.read_text())["who"]["holders"]:
                    asked[holder["name"]] = asked.get(holder["name"], 0) + holder["allocated"] // MIB
                self.assertEqual(asked, {"step": 1 + 16, "forward": 2 + 2, "backward": 8, "more": 64 + 256, "across": 128, "": 32})

    def test_another_tool_s_ranges_are_left_to_it(self):
        for others, said in (({}, True), ({"NVTX_INJECTION64_PATH": "/nowhere/libtool.so"}, False)):
            dry = harness.run(harness.GMLAKE, "run", "--dry-run", "--set", "stats.sample_bytes=1MiB", "--", "true",
                              env=harness.environment(False, **others))
            self.assertEqual(dry.returncode, 0, dry.stderr)
            self.assertEqual("NVTX_INJECTION64_PATH=" in dry.stdout, said, dry.stdout)

    def test_small_blocks_are_estimated(self):
        who = self.report("holders_shared", 8000)[0]["who"]
        asked = 8000 * 64 * 1024
        self.assertAlmostEqual(self.holder(who, "activations")["allocated"] / asked, 1, delta=0.15)

    def test_the_text(self):
        for kind in ("text", "full"):
            with self.subTest(kind=kind):
                _, said = self.report("holders_shared", GMLAKE_STATS_REPORT=kind)
                self.assertIn('holders_shared, for "weights"; 8.000 MiB of it not freed', said)
                self.assertIn("ask_for_weights (holders_shared)", said)

    def test_off_says_nothing(self):
        report, said = self.report("holders_shared", sample="0", GMLAKE_STATS_REPORT="full")
        self.assertNotIn("who", report)
        self.assertNotIn("who held", said)

    def test_out_of_memory(self):
        picture = self.folder / "oom.json"
        self.report("holders_shared", "exhaust", GMLAKE_STATS_OOM_FILE=picture, SIMCUDA_MEMORY="1GiB", SIMCUDA_BACKING="none")
        who = json.loads(picture.read_text())["who"]
        first = who["holders"][0]
        self.assertGreater(first["live"], 900 * MIB)
        self.assertEqual(first["live"], first["blocks"] * 8 * MIB)
        self.assertTrue(any("ask_for_weights" in frame for frame in first["frames"]))

    def test_children_forked_while_others_note(self):
        for mode in ("beside", "before"):
            with self.subTest(mode=mode):
                process = harness.run(harness.PROGRAMS / "forked", mode,
                                      env=harness.environment(GMLAKE_STATS_REPORT="none", GMLAKE_STATS_SAMPLE_BYTES="4KiB",
                                                              SIMCUDA_SEED=None))
                self.assertEqual((process.returncode, process.stdout), (0, "ended 60 of 60\n"), process.stderr)


if __name__ == "__main__":
    unittest.main()
