#!/usr/bin/env python3
"""Snapshots written by Python's own pickle module, in every protocol the reader knows, read by gmlake."""

import gzip
import pickle
import unittest

from command_line import CommandLine


def event(action, addr, size, stream=0, time=0):
    return {"action": action, "addr": addr, "size": size, "stream": stream, "time_us": 10**15 + time,
            "frames": [], "compile_context": "N/A"}


def snapshot():
    base = 0x7F0000000000
    blocks = [{"address": base, "size": 1024, "requested_size": 1000, "state": "active_allocated", "frames": []},
              {"address": base + 1024, "size": 1024, "requested_size": 900, "state": "inactive", "frames": []}]
    segment = {"device": 0, "address": base, "total_size": 2048, "stream": 0, "segment_type": "small",
               "segment_pool_id": (0, 0), "is_expandable": False, "blocks": blocks}
    events = []
    for i in range(300):
        at = base + 0x10000 * (i + 1)
        events += [event("alloc", at, 3 * 2**20 + i, i % 3, i), event("free_requested", at, 3 * 2**20 + i, i % 3, i)]
        events += [event("free_completed", at, 3 * 2**20 + i, i % 3, i)]
    return {"segments": [segment], "device_traces": [events],
            "allocator_settings": {"garbage_collection_threshold": 0.5, "expandable_segments": False},
            "external_annotations": []}


class Snapshot(CommandLine):
    def write(self, name, data, protocol=4, opener=open):
        with opener(self.path(name), "wb") as out:
            pickle.dump(data, out, protocol)
        return self.path(name)

    def test_every_protocol(self):
        for protocol in range(2, min(5, pickle.HIGHEST_PROTOCOL) + 1):
            with self.subTest(protocol=protocol):
                info, = self.json_of("trace", "info", self.write("s.pickle", snapshot(), protocol))
                self.assertEqual(info["allocations"], 301)
                self.assertEqual(info["frees"], 300)
                self.assertEqual(info["initial_blocks"], 1)
                self.assertEqual(info["peak_live_bytes"], 1000 + 3 * 2**20 + 299)
                self.assertEqual(len(info["streams"]), 3)

    def test_packed(self):
        info, = self.json_of("trace", "info", self.write("s", snapshot(), 4, gzip.open))
        self.assertEqual(info["allocations"], 301)

    def test_segments_only_is_refused_with_a_remedy(self):
        path = self.write("segments.pickle", snapshot()["segments"])
        done = self.run_gmlake("trace", "info", path, status=65)
        self.assertIn(b"_record_memory_history", done.stderr)
        self.assertIn(path.encode(), done.stderr)

    def test_code_is_refused(self):
        marker = self.path("marker")
        class Evil:
            def __reduce__(self):
                return open, (marker, "w")
        for protocol in range(2, 6):
            done = self.run_gmlake("trace", "info", self.write("evil.pickle", Evil(), protocol), status=65)
            self.assertIn(b"GLOBAL", done.stderr)
        with self.assertRaises(FileNotFoundError):
            open(marker)


if __name__ == "__main__":
    unittest.main()
