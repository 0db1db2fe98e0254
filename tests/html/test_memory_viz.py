"""PyTorch's own reader of memory snapshots (torch/cuda/_memory_viz.py) reads what `gmlake trace export --memory-viz` writes.

MEMORY_VIZ names that file.
"""

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import unittest

from pictures import Pictures, snapshot

spec = importlib.util.spec_from_file_location("memory_viz", os.environ["MEMORY_VIZ"])
memory_viz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(memory_viz)


class MemoryViz(Pictures):
    def exported(self, path):
        out = self.folder / "out.pickle"
        self.gmlake("trace", "export", "--memory-viz", out, path)
        return out, pickle.loads(out.read_bytes())

    def test_the_summary_of_segments(self):
        for path in (self.generate("t.csv", "--keep"), self.write("s.pickle", snapshot())):
            info, = json.loads(self.gmlake("trace", "info", "--json", path).stdout)
            _, data = self.exported(path)
            text = memory_viz.segsum(data)  # which holds the sums against each other
            self.assertIn(f"total_allocated: {memory_viz.Bytes(info['never_freed_bytes'])}\n", text)

    def test_the_trace(self):
        path = self.generate("t.csv")
        info, = json.loads(self.gmlake("trace", "info", "--json", path).stdout)
        text = memory_viz.trace(self.exported(path)[1])
        self.assertEqual(text.count("# free completed"), info["frees"])
        self.assertEqual(text.count(" = seg_"), info["allocations"])
        self.assertNotIn("MEM[", text)

    def test_the_flame_graph_and_comparison(self):
        _, data = self.exported(self.write("s.pickle", snapshot()))
        lines = memory_viz.memory(data, format_flamegraph=lambda text: text)
        self.assertIn("active_allocated;main.py:11:main;weights.py:10:weights 2097152\n", lines)
        memory_viz.compare(data["segments"], data["segments"], format_flamegraph=lambda text: text)

    def test_its_command(self):
        out, _ = self.exported(self.write("s.pickle", snapshot()))
        for plot in ("trace_plot", "segment_plot"):
            page = self.folder / f"{plot}.html"
            subprocess.run([sys.executable, os.environ["MEMORY_VIZ"], plot, out, "-o", page], check=True)
            self.assertIn("snapshot.pickle", page.read_text())


if __name__ == "__main__":
    unittest.main()
