"""Broken configurations: said once, with file, place and remedy; the program runs on native memory all the same.

With GMLAKE_STRICT=1, under `gmlake run` and by `gmlake config check` they are refused with exit status 78.
"""

import json

import harness

# Name, content of the file (text, or a way to make it), and what the message must hold besides the file's path:
# the option's path in the JSON where there is one, what is wrong with it, and what to write instead.
BROKEN = [
    ("no_json", "pool: yes", []),
    ("cut_off", '{"pool": {"enabled": true', []),
    ("trailing_comma", '{"pool": {"enabled": true,}}', ["comma"]),
    ("comment", '{"pool": {} // note\n}', ["//"]),
    ("empty_file", "", ["is empty"]),
    ("not_an_object", "[1, 2]", ["object"]),
    ("given_twice", '{"pool": {"enabled": true, "enabled": false}}', ["pool.enabled", "twice"]),
    ("unknown_section", '{"stich": {"enabled": true}}', ["stich", "stitch"]),
    ("unknown_key", '{"pool": {"chunksize": "2MiB"}}', ["pool.chunksize", "chunk_size"]),
    ("key_of_another_section", '{"pool": {"max_windows": 5}}', ["pool.max_windows", "stitch.max_windows"]),
    ("section_as_value", '{"pool": 5}', ["pool", "object"]),
    ("text_for_flag", '{"pool": {"enabled": "yes please"}}', ["pool.enabled", "true or false"]),
    ("number_for_flag", '{"hooks": {"driver": 1}}', ["hooks.driver", "true or false"]),
    ("list_for_size", '{"pool": {"max_bytes": [1]}}', ["pool.max_bytes", "512MiB"]),
    ("bad_unit", '{"pool": {"max_bytes": "5 bananas"}}', ["pool.max_bytes", "bananas", "512MiB"]),
    ("negative_size", '{"pool": {"max_bytes": -1}}', ["pool.max_bytes", "negative"]),
    ("not_a_multiple", '{"pool": {"chunk_size": "3MiB"}}', ["pool.chunk_size", "4MiB"]),
    ("out_of_range", '{"stitch": {"growth_slack": 1.5}}', ["stitch.growth_slack", "from 0 to 1"]),
    ("unknown_word", '{"streams": {"free": "later"}}', ["streams.free", "deferred", "synchronous"]),
    ("unknown_sequence", '{"stats": {"json_file": "/tmp/%q"}}', ["stats.json_file", "%q", "%p"]),
    ("missing_file", None, ["No such file", "GMLAKE_CONFIG"]),
    ("a_folder", "folder", ["directory", "GMLAKE_CONFIG"]),
    ("unreadable", "/proc/self/mem", ["can not be read", "GMLAKE_CONFIG"]),  # for root too
]
REFUSED = 78


class Configuration(harness.Case):
    def setUp(self):
        super().setUp()
        harness.mixed_trace(self.folder / "trace.csv", seed=5, events=20, most_live=8 * harness.MIB)
        self.client = [harness.PROGRAMS / "replay_client_shared", self.folder / "trace.csv"]

    def make(self, name, content):
        path = self.folder / f"{name}.json"
        if content == "folder":
            path.mkdir()
        elif content is not None and content.startswith("/"):
            return content
        elif content is not None:
            path.write_text(content)
        return path

    def each(self):
        for name, content, fragments in BROKEN:
            path = self.make(name, content)
            yield self.subTest(configuration=name), path, [str(path), *fragments]

    def assert_explained(self, stderr, fragments):
        self.assertEqual(stderr.count("gmlake:"), 1, stderr)
        for fragment in fragments:
            self.assertIn(fragment, stderr)

    def test_the_program_runs_on_native_memory(self):
        for subtest, path, fragments in self.each():
            with subtest:
                report = self.folder / "report.json"
                process = harness.run(
                    *self.client, env=harness.environment(GMLAKE_CONFIG=path, GMLAKE_STATS_JSON_FILE=report,
                                                          SIMCUDA_LOG=f"stats:{self.folder / 'device.json'}"))
                self.assertEqual((process.returncode, process.stdout), (0, ""), process.stderr)
                self.assert_explained(process.stderr, fragments)
                calls = json.loads((self.folder / "device.json").read_text())["calls"]
                self.assertGreater(calls["cuMemAllocAsync"], 0)
                self.assertNotIn("cuMemCreate", calls)
                if report.exists():
                    counters = harness.Report(json.loads(report.read_text()))
                    self.assertEqual(counters["allocations"], 0)

    def test_the_program_keeps_its_exit_status(self):
        path = self.make("broken", "{")
        process = harness.run(harness.PROGRAMS / "replay_client_shared", env=harness.environment(GMLAKE_CONFIG=path))
        self.assertEqual(process.returncode, 2)
        self.assertIn("usage: replay_client", process.stderr)

    def test_strict_refuses(self):
        for subtest, path, fragments in self.each():
            with subtest:
                process = harness.run(*self.client, env=harness.environment(GMLAKE_CONFIG=path, GMLAKE_STRICT=1))
                self.assertEqual((process.returncode, process.stdout), (REFUSED, ""), process.stderr)
                self.assert_explained(process.stderr, fragments)

    def test_run_refuses_before_the_start(self):
        marker = self.folder / "started"
        for subtest, path, fragments in self.each():
            with subtest:
                process = harness.run(
                    harness.GMLAKE, "run", "--config", path, "--", "touch", marker, env=harness.environment(preload=False))
                self.assertEqual(process.returncode, REFUSED, process.stderr)
                self.assert_explained(process.stderr, fragments)
                self.assertFalse(marker.exists())

    def test_check_refuses(self):
        for subtest, path, fragments in self.each():
            with subtest:
                process = harness.run(harness.GMLAKE, "config", "check", path, env=harness.environment(preload=False))
                self.assertEqual(process.returncode, REFUSED, process.stderr)
                for fragment in fragments:
                    self.assertIn(fragment, process.stdout + process.stderr)

    def test_environment_variable(self):
        process = harness.run(*self.client, env=harness.environment(GMLAKE_POOL_CHUNK_SIZE="3MiB"))
        self.assertEqual(process.returncode, 0)
        self.assert_explained(process.stderr, ["GMLAKE_POOL_CHUNK_SIZE", "4MiB"])
        process = harness.run(*self.client, env=harness.environment(GMLAKE_POOL_CHUNKSIZE="4MiB"))
        self.assertEqual(process.returncode, 0)
        self.assert_explained(process.stderr, ["GMLAKE_POOL_CHUNKSIZE", "GMLAKE_POOL_CHUNK_SIZE"])

    def test_a_good_one_is_used(self):
        path = self.folder / "good.json"
        report = self.folder / "report.json"
        path.write_text(json.dumps(
            {"stitch": {"enabled": False}, "stats": {"report": "none", "json_file": str(report)}}))
        process = harness.run(*self.client, env=harness.environment(GMLAKE_CONFIG=path))
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
        counters = harness.Report(json.loads(report.read_text()))
        self.assertGreater(counters["allocations"], 0)
        self.assertEqual(counters["stitches"], 0)
        checked = harness.run(harness.GMLAKE, "config", "check", path, env=harness.environment(preload=False))
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_at_least_twenty(self):
        self.assertGreaterEqual(len(BROKEN), 20)


if __name__ == "__main__":
    harness.main()
