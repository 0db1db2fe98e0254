"""Memory freed on one stream is reused on another where the program's own events prove it safe, and only there.

simcuda's checks are on: a reuse without order between the two uses is a finding, which ends the process with 97.
"""

import json
import os

import harness
from harness import MIB

BLOCK = 4 * MIB
STEPS = 200
DEPTH = 3
# Of the manners in which simcuda runs work, the one that is done at once needs no proof: the pool finds it over.
SEEDS = [seed for seed in range(2, 9 if "GMLAKE_TEST_LONG" in os.environ else 5) if seed % 4 != 1]


class Streams(harness.Case):
    def pipeline(self, mode, seed=None, api="shared", **settings):
        process, report = self.served(harness.PROGRAMS / f"pipeline_{api}", mode, SIMCUDA_SEED=seed, **settings)
        self.assertEqual(process.stdout, f"last {(STEPS - 1) & 0xff}\n")
        self.assertNotIn("finding", process.stderr)
        return report

    # While work may be far behind the host, no query would find it over: proofs alone must do.
    def test_a_pipeline_ordered_by_events(self):
        for api in ("shared", "static"):
            for seed in SEEDS:
                with self.subTest(api=api, seed=seed):
                    report = self.pipeline("ordered", seed, api)
                    self.assertGreaterEqual(report["reuse_proved"], STEPS - 4 * DEPTH)
                    self.assertLess(report["fence_queries"], 0.05 * STEPS)
                    self.assertEqual(report["ladder_inserted_waits"], 0)
                    self.assertLessEqual(report["peak_physical_bytes"], (DEPTH + 2) * BLOCK)

    def test_events_over_by_the_host_s_own_query(self):
        report = self.pipeline("query", 4)
        self.assertEqual(report["reuse_proved"], 0)
        self.assertGreaterEqual(report["reuse_completed"], STEPS - 4 * DEPTH)
        self.assertLess(report["fence_queries"], 0.05 * STEPS)

    def test_no_proof_no_reuse(self):
        for mode in ("unordered", "again", "graph", "captured"):
            for seed in SEEDS:
                with self.subTest(mode=mode, seed=seed):
                    self.assertEqual(self.pipeline(mode, seed)["reuse_proved"], 0)

    def test_with_threads(self):
        self.assertGreaterEqual(self.pipeline("ordered")["reuse_proved"], STEPS - 4 * DEPTH)
        self.assertEqual(self.pipeline("unordered")["reuse_proved"], 0)

    # The work is far behind: the producer does without what the consumer has freed, and the report says so.
    def test_the_report_says_who_waited_for_whom(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                report = self.pipeline("unordered", seed)
                pair, = report.unproved["pairs"]
                wanted_by, freed_by = pair["wanted_by"], pair["freed_by"]
                self.assertEqual([wanted_by["kind"], freed_by["kind"]], ["created", "created"])
                # Numbered as they are created: the producer, then the consumer.
                self.assertLess(wanted_by["stream"], freed_by["stream"])
                # All it did without is new memory; the first block of each stream is new anyhow.
                self.assertGreater(pair["requests"], DEPTH)
                self.assertEqual(pair["requests"], report["reuse_new"] - 2)
                self.assertEqual(pair["bytes"], pair["requests"] * BLOCK)
                self.assertEqual(pair["new_bytes"], pair["bytes"])
                self.assertEqual(pair["host_waits"] + pair["stream_waits"] + pair["failures"], 0)
                self.assertEqual([report["unproved"], report["unproved_bytes"]], [pair["requests"], pair["bytes"]])
                self.assertEqual(report.unproved["others"]["requests"], 0)

    # Ordered, it does so only until its first wait for the consumer.
    def test_in_an_ordered_pipeline_nobody_waits(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                report = self.pipeline("ordered", seed)
                self.assertLessEqual(report["unproved"], DEPTH)
                self.assertEqual(report["unproved"], report["reuse_new"] - 2)

    def test_the_text_says_it_too(self):
        seed = SEEDS[0]
        text = self.folder / "report.txt"
        settings = {"GMLAKE_STATS_REPORT": "full", "GMLAKE_STATS_FILE": text}
        pair, = self.pipeline("unordered", seed, **settings).unproved["pairs"]
        wanted_by, freed_by = (pair[who]["stream"] for who in ("wanted_by", "freed_by"))
        said = text.read_text()
        self.assertIn(f"wanted by stream {wanted_by}, freed by stream {freed_by}\n", said)
        self.assertIn(f"record an event on stream {freed_by}, and let stream {wanted_by} wait for it\n", said)
        self.pipeline("ordered", seed, GMLAKE_HOOKS_DRIVER="false", **settings)
        self.assertIn("hooks.driver=true", text.read_text())
        self.pipeline("ordered", seed, **settings)
        self.assertNotIn("advice", text.read_text())

    def test_bytes_of_each_proof(self):
        report = self.pipeline("ordered", SEEDS[0])
        for how in ("own_stream", "proved", "completed", "new"):
            self.assertEqual(report[f"reuse_{how}_bytes"], report[f"reuse_{how}"] * BLOCK, how)
        self.assertGreater(report["reuse_proved_bytes"], 0)

    def test_switched_off(self):
        self.assertEqual(self.pipeline("ordered", 1, GMLAKE_STREAMS_FOLLOW_EVENTS="false")["reuse_proved"], 0)

    def test_another_context_has_another_default_stream(self):
        process, report = self.served(harness.PROGRAMS / "second_context", SIMCUDA_CHECKS="order,memory")
        self.assertEqual(process.stdout, "same stream 1\nother context 0\nfirst context 1\nfreed there 0\n")
        self.assertEqual(report["reuse_own_stream"], 2)

    # Its place between the other streams' work is an event's, which needs the context to be current.
    def test_a_free_in_the_legacy_stream_stands_between_others(self):
        for words in ((), ("lost",)):
            for seed in SEEDS:
                with self.subTest(words=words, seed=seed):
                    process, _ = self.served(harness.PROGRAMS / "legacy_order", *words, SIMCUDA_SEED=seed)
                    self.assertEqual(process.stdout, "same memory 1, value 2\n")

    def test_a_free_that_found_no_place_waits_for_all(self):
        for call in ("cuEventCreate", "cuEventRecord"):
            for seed in SEEDS:
                with self.subTest(call=call, seed=seed):
                    process, _ = self.served(harness.PROGRAMS / "legacy_order", SIMCUDA_SEED=seed,
                                             SIMCUDA_FAULTS=f"{call}:1=2")
                    self.assertEqual(process.stdout, "same memory 0, value 2\n")

    # What the program asserts (streams.single_stream): work far behind the host keeps no memory back.
    def test_one_stream_takes_back_at_once(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                loop = (harness.PROGRAMS / "hit_loop", "--api", "malloc", "--work", "given", 300)
                _, report = self.served(*loop, SIMCUDA_SEED=seed, GMLAKE_STREAMS_SINGLE_STREAM="true")
                self.assertEqual(report["peak_physical_bytes"], report["peak_live_bytes"])
                self.assertEqual(report["reuse_own_stream"], report["allocations"] - 1)
                self.assertEqual(report["fences"] + report["fence_queries"] + report["fence_waits"], 0)
                _, report = self.served(*loop, SIMCUDA_SEED=seed)
                self.assertGreater(report["peak_physical_bytes"], 2 * BLOCK)

    def test_a_second_stream_waits_for_what_was_taken_back(self):
        for mode, why in (("stream", "a stream was created"), ("thread", "a thread's default stream is used"),
                          ("peer", "another context may access its memory")):
            for seed in SEEDS:
                with self.subTest(mode=mode, seed=seed):
                    process, report = self.served(
                        harness.PROGRAMS / "second_stream", mode, SIMCUDA_SEED=seed, SIMCUDA_DEVICES=2,
                        GMLAKE_STREAMS_SINGLE_STREAM="true", GMLAKE_LOG_LEVEL="info")
                    self.assertEqual(process.stdout, "last 2\n")
                    self.assertNotIn("finding", process.stderr)
                    self.assertEqual(process.stderr.count(f"{why}; the GPU was waited for"), 1, process.stderr)
                    self.assertEqual(report["peak_physical_bytes"], BLOCK)
                    self.assertEqual(report["reuse_own_stream"], 199)
                    self.assertEqual(report["fence_waits"], 1)
                    self.assertLessEqual(report["fences"], 1)  # behind the last cudaFree

    # However it is used first.
    def test_a_threads_own_stream_is_a_second_one(self):
        for mode in ("fill", "copy", "copy_on_device"):
            for seed in SEEDS:
                with self.subTest(mode=mode, seed=seed):
                    process, _ = self.served(
                        harness.PROGRAMS / "own_streams", mode, SIMCUDA_SEED=seed, SIMCUDA_CHECKS="order,memory",
                        GMLAKE_STREAMS_SINGLE_STREAM="true", GMLAKE_LOG_LEVEL="info")
                    self.assertEqual(process.stdout, "last 7\n")
                    self.assertNotIn("finding", process.stderr)
                    self.assertEqual(process.stderr.count("a thread's default stream is used"), 1, process.stderr)

    # Whoever comes while the first waits has to wait as well.
    def test_of_two_second_streams_neither_begins_early(self):
        process, report = self.served(harness.PROGRAMS / "second_stream", "threads", SIMCUDA_SEED=None,
                                      GMLAKE_STREAMS_SINGLE_STREAM="true")
        self.assertEqual(process.stdout, "made 0\nlast 2\n")
        self.assertIn(report["fence_waits"], (1, 2))  # of both, if they come at once

    def test_without_the_driver_door_one_stream_is_not_known(self):
        process, report = self.served(harness.PROGRAMS / "second_stream", "stream", GMLAKE_STREAMS_SINGLE_STREAM="true",
                                      GMLAKE_HOOKS_DRIVER="false")
        self.assertEqual(process.stdout, "last 2\n")
        self.assertEqual(process.stderr.count("streams.single_stream has no effect"), 1, process.stderr)
        self.assertEqual(report["reuse_own_stream"], 0)

    # What counts is the work of the block's own device, whichever is current.
    def test_a_free_while_another_device_is_current(self):
        for policy in ("deferred", "synchronous"):
            with self.subTest(policy=policy):
                process, report = self.served(harness.PROGRAMS / "other_device", SIMCUDA_SEED=None, SIMCUDA_DEVICES=2,
                                              SIMCUDA_CHECKS="order,memory", GMLAKE_STREAMS_FREE=policy)
                self.assertEqual(process.stdout, "value 2\n")
                self.assertEqual(report["frees"], 3)

    # A thread's default stream ends with it, and no call says so.
    def test_of_threads_that_are_gone_nothing_is_kept(self):
        picture = self.folder / "oom.json"
        process, report = self.served(harness.PROGRAMS / "passing_threads", 300, GMLAKE_STATS_OOM_FILE=picture)
        self.assertEqual(process.stdout, "too much 2\n")
        self.assertEqual(report["frees"], 300)
        streams = [line for line in json.loads(picture.read_text())["timelines"] if line["kind"] == "stream"]
        self.assertLessEqual(len(streams), 3)

    # Destructors of the program's that run after the library's own of that thread.
    def test_a_thread_s_last_calls(self):
        process, report = self.served(harness.PROGRAMS / "passing_threads", 20, "late", SIMCUDA_CHECKS="order,memory,handles")
        self.assertEqual(process.stdout, "too much 2\n")
        self.assertEqual(report["frees"], 20 * 42 + 41)

    # Each stage of the pipeline reads what the one before it wrote, and frees it. Alone the program shows that it is
    # right by itself.
    def test_generated_pipelines(self):
        path = self.folder / "pipeline.csv"
        client = (harness.PROGRAMS / "replay_client_shared", "--touch", "ends", path)
        for words in ("--streams 2", "--streams 9 --variable-sequence random --depth 3",
                      "--streams 6 --variable-sequence random --wait-for round"):
            made = harness.run(harness.GMLAKE, "trace", "generate", "--mode", "pipeline", "--model", "tiny", "--sequence",
                               2048, "--iterations", 40, *words.split(), "--output", path,
                               env=harness.environment(preload=False))
            self.assertEqual(made.returncode, 0, made.stderr)
            for seed in SEEDS[:3]:
                with self.subTest(words=words, seed=seed):
                    alone = harness.run(*client, env=harness.environment(preload=False, SIMCUDA_SEED=seed))
                    self.assertEqual(alone.returncode, 0, alone.stderr)
                    _, report = self.served(*client, SIMCUDA_SEED=seed)
                    self.assertGreater(report["reuse_proved"], report["allocations"] / 4)
                    self.assertEqual(report["ladder_inserted_waits"] + report["fence_waits"], 0)

    # The consumer's work is far behind, and there is no more memory: the producer's stream waits, not the host.
    def test_out_of_memory_a_stream_waits(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                limit = {"GMLAKE_POOL_MAX_BYTES": f"{6 * BLOCK}", "GMLAKE_POOL_NATIVE_FALLBACK": "false"}
                report = self.pipeline("unordered", seed, **limit)
                self.assertGreater(report["ladder_inserted_waits"], 0)
                self.assertEqual(report["fence_waits"], 0)
                self.assertEqual(report["out_of_memory"], 0)
                report = self.pipeline("unordered", seed, GMLAKE_STREAMS_INSERT_WAITS="false", **limit)
                self.assertEqual(report["ladder_inserted_waits"], 0)


if __name__ == "__main__":
    harness.main()
