"""`gmlake trace export`: what is written is read back by Python and by gmlake, with the trace's figures."""

import gzip
import json
import pickle
import unittest
from collections import defaultdict

from pictures import MIB, Pictures, frames, snapshot


class MemoryViz(Pictures):
    def export(self, path, name="out.pickle"):
        out = self.folder / name
        self.gmlake("trace", "export", "--memory-viz", out, path)
        return out

    def info(self, path):
        info, = json.loads(self.gmlake("trace", "info", "--json", path).stdout)
        return {key: value for key, value in info.items() if key not in ("file", "trace", "name")}

    def test_it_reads_as_the_trace_did(self):
        for arguments in ((), ("--mode", "pipeline", "--streams", 3), ("--keep",)):
            path = self.generate("t.csv", *arguments)
            exported = self.info(self.export(path))
            for key in ("allocations", "frees", "peak_live_bytes", "streams", "sizes"):
                if key == "streams":  # what a snapshot does not have
                    strip = lambda info: [{k: v for k, v in one.items() if k not in ("records", "waits")} for one in info["streams"]]
                    self.assertEqual(strip(exported), strip(self.info(path)))
                else:
                    self.assertEqual(exported[key], self.info(path)[key], key)

    def test_the_keys_that_the_viewer_wants(self):
        data = pickle.loads(self.export(self.write("s.pickle", snapshot())).read_bytes())
        events, = data["device_traces"]
        self.assertEqual([one["action"] for one in events].count("alloc"), 201)
        self.assertEqual([one["action"] for one in events].count("free_completed"), 200)
        for one in events:
            self.assertLessEqual({"action", "size", "stream", "frames", "time_us"}, set(one))
        self.assertEqual(events[1]["frames"], frames("attention", "forward", "main"))
        self.assertEqual([one for one in events if one["action"] == "oom"][0]["device_free"], 100 * MIB)
        for segment in data["segments"]:
            self.assertEqual(sum(block["size"] for block in segment["blocks"]), segment["total_size"])
            self.assertLessEqual({"address", "stream", "device", "segment_type", "allocated_size", "active_size", "is_expandable"}, set(segment))
            at = segment["address"]
            for block in segment["blocks"]:
                self.assertEqual(block["address"], at)
                at += block["size"]
        held = [block for segment in data["segments"] for block in segment["blocks"] if block["state"] == "active_allocated"]
        self.assertEqual([(block["size"], block["frames"]) for block in held], [(2 * MIB, frames("weights", "main"))])

    def test_blocks_that_overlap_are_placed(self):
        path = self.write("t.csv", "Action,Pointer,Size,Stream\nallocate,0x1000,8192,0\nallocate,0x2000,8192,0\nfree,0x1000,0,0\n"
                                   "allocate,0x1001,4096,0\nallocate,0x1002,4096,0\n")
        data = pickle.loads(self.export(path).read_bytes())
        first, second, _, _, third, fourth = [one["addr"] for one in data["device_traces"][0]]
        self.assertEqual((second - first, third - first, fourth - first), (8192, 0, 4096))
        self.assertEqual(sum(block["size"] for segment in data["segments"] for block in segment["blocks"]), 16384)

    def test_large_numbers(self):
        path = self.write("t.csv", "Action,Pointer,Size,Stream\nallocate,0xfffffffffffff000,2048,0xffffffffffffffff\nallocate,0x1000,4096,0x80000000\n"
                                   "allocate,0x2000,8192,0x7fffffff\nallocate,0x4fff,0,0\n")
        data = pickle.loads(self.export(path).read_bytes())
        self.assertEqual([one["addr"] for one in data["device_traces"][0]], [0xfffffffffffff000, 0x1000, 0x2000, 0x4fff])
        self.assertEqual([one["stream"] for one in data["device_traces"][0]], [0, 0x80000000, 0x7fffffff, 0])
        for segment in data["segments"]:
            self.assertEqual(sum(block["size"] for block in segment["blocks"]), segment["total_size"])

    def test_packed(self):
        path = self.export(self.generate("t.csv"), "out.pickle.gz")
        with gzip.open(path) as file:
            self.assertIn("segments", pickle.load(file))


class Chrome(Pictures):
    def test_counters_and_blocks(self):
        path = self.generate("t.csv", "--mode", "pipeline", "--streams", 3)
        info, = json.loads(self.gmlake("trace", "info", "--json", path).stdout)
        out = self.folder / "out.json.gz"
        self.gmlake("trace", "export", "--chrome", out, path)
        with gzip.open(out) as file:
            events = json.load(file)["traceEvents"]
        kinds = defaultdict(list)
        for one in events:
            kinds[one["ph"]].append(one)
        self.assertEqual((len(kinds["b"]), len(kinds["e"])), (info["allocations"], info["frees"]))
        begun = {one["id"]: one["ts"] for one in kinds["b"]}
        for one in kinds["e"]:
            self.assertLessEqual(begun[one["id"]], one["ts"])
        counters = defaultdict(list)
        for one in kinds["C"]:
            counters[one["name"]].append((one["ts"], one["args"]["bytes"]))
        self.assertEqual(len(counters), 1 + len(info["streams"]))
        for values in counters.values():
            self.assertEqual(len({at for at, _ in values}), len(values))  # one value for each moment
        # A trace without times has a moment for each event, and so shows the peak.
        self.assertEqual(max(value for _, value in counters["live bytes"]), info["peak_live_bytes"])
        self.assertEqual(sum(values[-1][1] for name, values in counters.items() if name != "live bytes"), counters["live bytes"][-1][1])

    def test_names_and_stacks(self):
        out = self.folder / "out.json"
        self.gmlake("trace", "export", "--chrome", out, self.write("s.pickle", snapshot("a\"b\\c\n\u2028")))
        events = json.loads(out.read_text())["traceEvents"]
        stacks = [one["args"]["stack"] for one in events if one["ph"] == "b" and "stack" in one["args"]]
        self.assertIn("a\"b\\c\n\u2028 (/program/a\"b\\c\n\u2028.py:10)", stacks[1])
        self.assertEqual([one["args"]["bytes"] for one in events if one["ph"] == "i"], [512 * MIB])


class Refusals(Pictures):
    def test_each_says_what_is_wrong(self):
        path = self.generate("t.csv")
        self.assertIn(b"--memory-viz", self.gmlake("trace", "export", path, status=64).stderr)
        self.assertIn(b"/dev/full", self.gmlake("trace", "export", "--chrome", "/dev/full", path, status=73).stderr)
        self.assertIn(b"nowhere", self.gmlake("trace", "export", "--memory-viz", self.folder / "nowhere" / "x", path, status=73).stderr)
        self.assertIn(b"x.csv", self.gmlake("trace", "export", "--chrome", "-", self.write("x.csv", "no\n"), status=65).stderr)


if __name__ == "__main__":
    unittest.main()
