#!/usr/bin/env python3
"""`gmlake replay`: its figures have to agree with the trace, with each other, and with its exit status."""

import json
import os
import pty
import re
import signal
import subprocess
import unittest

from command_line import GMLAKE, CommandLine

HEADER = "Thread,Time,Action,Pointer,Size,Stream\n"


class Replay(CommandLine):
    def consistent(self, result, trace):
        info, = self.json_of("trace", "info", trace)
        loops = result["loops"]
        self.assertFalse(result["out_of_memory"])
        self.assertEqual(result["peak_live_bytes"], info["peak_live_bytes"])
        self.assertEqual(result["allocations"], loops * info["allocations"])
        self.assertEqual(sum(result["hits"].values()) + result["stitches"] + result["growths"], result["allocations"])
        self.assertEqual(sum(result["reuse"].values()), result["allocations"])
        self.assertAlmostEqual(result["fence_queries_per_allocation"] * result["allocations"], result["fence_queries"])
        self.assertAlmostEqual(result["utilization"], result["peak_live_bytes"] / result["peak_physical_bytes"])
        self.assertEqual(result["utilization"], result["utilization_per_loop"][-1])
        self.assertEqual(len(result["utilization_per_loop"]), loops)
        self.assertEqual(sum(result["stitches_per_loop"]), result["stitches"])
        self.assertLessEqual(result["utilization"], 1)
        self.assertGreater(result["nanoseconds_per_event"], 0)
        calls = sum(result["driver_calls"].values())
        self.assertGreater(result["driver_calls_first_loop"], 0)
        if loops > 1:
            self.assertGreaterEqual(calls, result["driver_calls_first_loop"] + result["driver_calls_last_loop"])
        self.assertGreater(result["malloc_pair_nanoseconds"], 0.1)
        self.assertAlmostEqual(result["malloc_pairs_per_event"] * result["malloc_pair_nanoseconds"],
                               result["nanoseconds_per_event"])
        self.assertIsNone(result["smallest_device_bytes"])
        # Calls have a price: the first loop creates memory, so all loops cost more than the last, and a loop without
        # a call costs nothing.
        self.assertGreater(result["modelled_driver_nanoseconds"], result["modelled_driver_nanoseconds_last_loop"])
        if result["driver_calls_last_loop"] == 0:
            self.assertEqual(result["modelled_driver_nanoseconds_last_loop"], 0)
        self.assertIn("pool", result["config"])

    def test_figures_agree(self):
        traces = [self.generate("train.csv.gz", "--variable-sequence", "random"),
                  self.generate("streams.csv", "--streams", "3", "--layers", "6", "--hidden", "512", "--offload",
                                "optimizer"),
                  self.generate("serve.csv", "--mode", "inference", "--kv-cache", "growing", "--iterations", "30",
                                "--keep")]
        results = self.json_of("replay", *traces, "--loops", "3", "--device-memory", "4GiB")
        self.assertEqual([r["trace"] for r in results], traces)
        for result, trace in zip(results, traces):
            with self.subTest(trace):
                self.assertEqual(result["loops"], 3)
                self.consistent(result, trace)

    def write(self, rows):
        path = self.path("rows.csv")
        with open(path, "w", encoding="ascii") as out:
            out.write(HEADER + "".join(rows))
        return path

    def holes(self, *before_last):
        """Every second one of 20 blocks of 4 MiB is freed; then 20 MiB are wanted in one piece."""
        rows = [f"0,0,allocate,{i + 1:#x},{4 << 20},0x0\n" for i in range(20)]
        rows += [f"0,0,free,{i + 1:#x},{4 << 20},0x0\n" for i in range(0, 20, 2)]
        return self.write([*rows, *before_last, f"0,0,allocate,0x100,{20 << 20},0x0\n"])

    def test_what_the_recorded_pool_went_by(self):
        """A miss is planned by what was measured in the process, not by what it takes here."""
        for row, stitches, args in (("pace", 1, []), ("pace spent", 0, []), ("pace spent", 1, ["--lag", "0"])):
            with self.subTest(row=row, args=args):
                trace = self.holes(f"0,0,{row},0x1,1,host\n")
                result, = self.json_of("replay", trace, "--set", "stitch.time_budget=1", *args)
                self.assertEqual(result["stitches"], stitches)
                self.assertFalse(result["out_of_memory"])

    def handed_on(self, order):
        """Stream 1 makes a block, stream 2 frees it; then stream 1 wants one of the size."""
        size = 8 << 20
        return self.write([f"0,0,allocate,0x1,{size},0x11\n", f"0,0,allocate,0x2,{size},0x12\n",
                           f"0,0,free,0x1,{size},0x12\n", *order, f"0,0,allocate,0x3,{size},0x11\n"])

    def reused(self, order, *args):
        result, = self.json_of("replay", self.handed_on(order), *args)
        return [name for name in ("own_stream", "proved", "completed") if result["reuse"][name]]

    def test_order_is_honoured(self):
        record, wait = "0,0,record,0xe,0,0x12\n", "0,0,wait,0xe,0,0x11\n"
        never = ("--lag", "never")
        self.assertEqual(self.reused([record, wait], *never), ["proved"])
        self.assertEqual(self.reused([wait, record], *never), [])
        self.assertEqual(self.reused([record], *never), [])
        self.assertEqual(self.reused([record, "0,0,synchronize,0xe,0,0x11\n"], *never), ["completed"])
        self.assertEqual(self.reused([record, wait], "--set", "streams.follow_events=false", *never), [])
        self.assertEqual(self.reused([], "--one-stream", *never), ["own_stream"])

    def test_what_was_not_reused_is_told(self):
        trace, size = self.handed_on([]), 8 << 20
        result, = self.json_of("replay", trace, "--lag", "never")
        pair, = result["unproved"]["pairs"]
        self.assertEqual((pair["wanted_by"], pair["freed_by"]),
                         ({"kind": "created", "stream": 0x11}, {"kind": "created", "stream": 0x12}))
        self.assertEqual((pair["requests"], pair["bytes"], pair["new_bytes"]), (1, size, size))
        self.assertEqual(result["unproved"]["others"]["requests"], 0)
        text = self.run_gmlake("replay", trace, "--lag", "never").stdout.decode()
        self.assertIn("wanted by stream 17, freed by stream 18\n", text)
        self.assertIn("record an event on stream 18, and let stream 17 wait for it\n", text)
        self.assertEqual(self.json_of("replay", trace)[0]["unproved"]["pairs"], [])
        self.assertNotIn("not reused", self.run_gmlake("replay", trace).stdout.decode())

    def test_work_is_complete_so_many_rows_later(self):
        """The pool records its event at the first request that it has nothing for, three rows before the last one."""
        larger, other = f"0,0,allocate,0x5,{16 << 20},0x11\n", "0,0,record,0xe,0,0x11\n"
        self.assertEqual(self.reused([larger, other, other], "--lag", "3"), ["completed"])
        self.assertEqual(self.reused([larger, other, other], "--lag", "4"), [])
        self.assertEqual(self.reused([]), ["completed"])
        self.assertEqual(self.reused([], "--lag", "1"), [])
        self.run_gmlake("replay", self.holes(), "--lag", "-1", status=64)
        self.run_gmlake("replay", self.holes(), "--lag", "soon", status=64)

    def test_holes_are_stitched(self):
        result, = self.json_of("replay", self.holes(), "--device-memory", "80MiB")
        self.assertEqual(result["stitches"], 1)
        self.assertEqual(result["peak_physical_bytes"], 80 << 20)

    def test_out_of_memory_is_told_by_the_exit_status(self):
        done = self.run_gmlake("replay", self.holes(), "--device-memory", "80MiB", "--set", "stitch.enabled=false",
                               "--json", status=1)
        self.assertIn(b"out of memory", done.stderr)
        self.assertIn(b'"out_of_memory": true', done.stdout)
        result, = self.json_of("replay", self.holes(), "--device-memory", "80MiB", "--set", "stitch.enabled=false",
                               "--allow-oom")
        self.assertTrue(result["out_of_memory"])
        self.assertEqual(result["peak_live_bytes"], 80 << 20)
        self.assertEqual(result["config"]["stitch"]["enabled"], False)

    def test_per_thread_streams_are_as_many_as_threads(self):
        """By one name: what one thread has freed there another can not use as if it came after."""
        size = 8 << 20
        trace = self.write([f"1,0,allocate,0x1,{size},0x2\n", f"1,0,free,0x1,{size},0x2\n", f"2,0,allocate,0x2,{size},0x2\n"])
        result, = self.json_of("replay", trace, "--lag", "never")
        self.assertEqual((result["reuse"]["own_stream"], result["peak_physical_bytes"]), (0, 2 * size))
        pair, = result["unproved"]["pairs"]
        self.assertEqual((pair["wanted_by"], pair["freed_by"]),
                         ({"kind": "per_thread", "stream": 2}, {"kind": "per_thread", "stream": 1}))
        info, = self.json_of("trace", "info", trace)
        self.assertEqual([(lane["stream"], lane["thread"]) for lane in info["streams"]], [(2, 1), (2, 2)])

    def test_standard_input(self):
        trace = self.holes()
        with open(trace, "rb") as file:
            done = subprocess.run([GMLAKE, "replay", "-", trace, "--json", "--smallest-device"], stdin=file,
                                  capture_output=True, timeout=120, check=True)
        piped, named = json.loads(done.stdout)
        self.assertEqual((piped["trace"], piped["allocations"]), ("-", named["allocations"]))
        self.assertEqual(piped["smallest_device_bytes"], named["smallest_device_bytes"])
        with open(os.devnull, "rb") as nothing:
            done = subprocess.run([GMLAKE, "replay", "-"], stdin=nothing, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 65)
        self.assertIn(b"-: is empty", done.stderr)

    def test_progress_on_a_terminal_and_what_an_interrupt_keeps(self):
        trace = self.generate("train.csv", "--variable-sequence", "random")
        terminal, other = pty.openpty()
        with subprocess.Popen([GMLAKE, "replay", trace, "--loops", "1000000", "--json"], stdout=subprocess.PIPE,
                              stderr=other) as process:
            os.close(other)
            shown = b""
            while not re.search(rb"train.csv: loop ([2-9]|\d\d+) of 1000000, \d+ %", shown):
                shown += os.read(terminal, 4096)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=120)
        os.close(terminal)
        self.assertEqual(process.returncode, 130)
        result, = json.loads(out)
        self.assertGreater(result["loops"], 0)
        self.assertEqual(result["allocations"] % result["loops"], 0)

    def test_no_progress_where_there_is_no_terminal(self):
        done = self.run_gmlake("replay", self.generate("train.csv"), "--loops", "30")
        self.assertEqual(done.stderr, b"")

    def smallest(self, trace, *args, **kwargs):
        result, = self.json_of("replay", trace, "--smallest-device", *args, **kwargs)
        return result["smallest_device_bytes"], result["smallest_device_utilization"]

    def test_the_smallest_device_is_found(self):
        # Stitched, the holes serve; without, 20 MiB more are needed.
        self.assertEqual(self.smallest(self.holes()), (80 << 20, 1))
        self.assertEqual(self.smallest(self.holes(), "--set", "stitch.enabled=false"), (100 << 20, 0.8))
        self.assertEqual(self.smallest(self.holes(), "--set", "stitch.enabled=false", "--device-memory", "98MiB",
                                       "--allow-oom"), (None, None))
        self.assertEqual(self.smallest(self.holes(), "--device-memory", "40MiB", "--allow-oom"), (None, None))

    def test_the_smallest_device_is_enough_and_a_smaller_one_is_not(self):
        trace = self.generate("train.csv", "--variable-sequence", "random", "--recompute", "full")
        loops = ("--loops", "3")
        size, _ = self.smallest(trace, *loops)
        self.run_gmlake("replay", trace, *loops, "--device-memory", str(size))
        self.run_gmlake("replay", trace, *loops, "--device-memory", str(size - (2 << 20)), status=1)
        table = self.run_gmlake("replay", trace, *loops, "--smallest-device").stdout.decode().splitlines()
        self.assertTrue(table[0].rstrip().endswith("smallest device  live/dev."))
        self.assertIn(f"{size / (1 << 30):.3f}", table[2])

    def test_configuration_mistakes_are_refused(self):
        done = self.run_gmlake("replay", self.holes(), "--set", "stitch.enable=false", status=78)
        self.assertIn(b"stitch.enabled", done.stderr)
        done = self.run_gmlake("replay", self.holes(), "--set", "pool.chunk_size=7", status=78)
        self.assertIn(b"--set pool.chunk_size=7", done.stderr)
        self.run_gmlake("replay", self.holes(), "--config", "/nowhere.json", status=78)

    def test_other_mistakes(self):
        self.run_gmlake("replay", self.holes(), "--device-memory", "many", status=64)
        self.run_gmlake("replay", self.holes(), "--loops", "0", status=64)
        done = self.run_gmlake("replay", self.holes(), "--driver", "/nowhere/libcuda.so.1", status=69)
        self.assertIn(b"/nowhere/libcuda.so.1", done.stderr)
        self.run_gmlake("replay", "/nowhere.csv", status=65)
        self.run_gmlake("replay", "/nowhere.csv", "--smallest-device", status=65)
        done = self.run_gmlake("replay", self.holes(), "--smallest-device", "--driver", "/nowhere/libcuda.so.1",
                               status=69)
        self.assertIn(b"/nowhere/libcuda.so.1", done.stderr)

    def test_table(self):
        lines = self.run_gmlake("replay", self.holes(), "--loops", "2").stdout.decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("utilization", lines[0])
        self.assertTrue(lines[2].startswith("rows.csv"))


if __name__ == "__main__":
    unittest.main()
