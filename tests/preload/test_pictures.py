"""`gmlake report --html` of real things: the out-of-memory file and the report that a process leaves, and a process that runs."""

import json
import os
import sys
from pathlib import Path

import harness
from test_live import UNTIDY, Live

os.environ.setdefault("GMLAKE", str(harness.GMLAKE))
sys.path.insert(0, str(Path(__file__).parents[1] / "html"))
from pictures import data_of  # noqa: E402

MIB = harness.MIB
EXHAUST = harness.PROGRAMS / "giving_back"
FREE, LIVE, PARKED = 1, 4, 5  # of a page's regions


class Pictures(harness.Case):
    def documents(self, *inputs, **environment):
        page = self.folder / "page.html"
        done = harness.run(harness.GMLAKE, "report", "--html", page, *inputs, env=harness.environment(False, **environment))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return data_of(page.read_text())["documents"]

    def test_what_an_out_of_memory_and_an_end_leave(self):
        oom, report = self.folder / "oom.json", self.folder / "report.json"
        self.served(EXHAUST, "exhaust", SIMCUDA_MEMORY="1GiB", SIMCUDA_BACKING="none", GMLAKE_STATS_OOM_FILE=oom, GMLAKE_LOG_LEVEL="off",
                    GMLAKE_STATS_JSON_FILE=report)
        picture = json.loads(oom.read_text())
        shown, = self.documents(oom)
        self.assertEqual(shown["request"], picture["request"])
        sizes = [sum(region[1] for region in shown["regions"] if region[2] in states) for states in ((LIVE, PARKED), (FREE, 2))]
        self.assertEqual(sizes[1], picture["memory"]["free"])
        self.assertGreaterEqual(sizes[0], picture["memory"]["live"])
        self.assertEqual(len(shown["blocks"]), len(picture["blocks"]))
        self.assertEqual({row[0]: row[3] for row in shown["figures"]}["out_of_memory"], [picture["counters"]["out_of_memory"]])


class Running(Live):
    def test_a_process_that_runs(self):
        with self.waiting() as process:
            page = self.folder / "page.html"
            done = self.gmlake("report", "--html", page, process.pid)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            stats, = json.loads(self.gmlake("stats", "--json").stdout)["processes"]
        shown, = data_of(page.read_text())["documents"]
        self.assertEqual(shown["kind"], "report")
        self.assertIn(UNTIDY.name, shown["name"])
        counters = {row[0]: row[3][0] for row in shown["figures"]}
        for name, value in stats["total"]["counters"].items():
            self.assertEqual(counters[name], value, name)


del Live  # its own tests run elsewhere

if __name__ == "__main__":
    harness.main()
