"""Pages of `gmlake report --html`, without a browser: one file, nothing from elsewhere, and data that holds the input's figures."""

import gzip
import json
import re
import unittest

from pictures import EVIL, MIB, Pictures, data_of, frames, holders, report, shortage, snapshot


class Page(Pictures):
    def data(self, *inputs):
        return data_of(self.page(*inputs).read_text())["documents"]

    def test_it_is_one_file_that_asks_nobody(self):
        text = self.page(self.generate("t.csv")).read_text()
        self.assertEqual(re.findall(r"https?:|//[a-z]+\.[a-z]+/|@import|url\(|\bsrc=|\bfetch\(|XMLHttpRequest|import\(|eval\(", text), [])
        self.assertIn("default-src 'none'", text)
        self.assertEqual(re.findall(r"@[A-Z]+@", text), [])
        self.assertNotIn("innerHTML", text)
        self.assertLess(len(text), 300_000)

    def test_a_trace_is_in_it_as_info_has_it(self):
        path = self.generate("t.csv.gz", "--mode", "pipeline", "--streams", 3)
        info, = json.loads(self.gmlake("trace", "info", "--json", path).stdout)
        document, = self.data(path)
        what, size = document["column"]("what"), document["column"]("size")
        self.assertEqual(what.count(0), info["allocations"])
        self.assertEqual(len(what) - what.count(0), info["frees"])
        live = peak = allocated = 0
        for step in what:
            if step == 0:
                live += size[allocated]
                allocated += 1
            else:
                live -= size[allocated - step]
            peak = max(peak, live)
        self.assertEqual(peak, info["peak_live_bytes"])
        self.assertEqual(document["events"], len(what))
        self.assertEqual(len(document["streams"]), len(info["streams"]))
        self.assertEqual(sum(document["column"]("time")), 0 if not document["timed"] else sum(document["column"]("time")))
        figures = {name: values for name, _, _, values in document["figures"]}
        self.assertEqual(figures["peak live"], [info["peak_live_bytes"]])

    def test_addresses_streams_and_times_of_a_log(self):
        path = self.write("t.csv", "Thread,Time,Action,Pointer,Size,Stream\n"
                                   "0,00:00:01.000000,allocate,0x7f0000000000,4194304,0x10\n"
                                   "0,00:00:01.000005,record,0x1,0,0x10\n"
                                   "0,00:00:01.000010,allocate,0x1000,100,0x11\n"
                                   "1,00:00:01.000008,free,0x7f0000000000,4194304,0x10\n")
        document, = self.data(path)
        self.assertEqual(document["column"]("what"), [0, 0, 2])
        self.assertEqual(document["column"]("size"), [4194304, 100])
        fold = lambda n: 2 * n if n >= 0 else -2 * n - 1
        self.assertEqual(document["column"]("address"), [fold(0x7f0000000000), fold(0x1000 - 0x7f0000000000)])
        self.assertEqual([document["streams"][i] for i in document["column"]("stream")], ["0x10", "0x11"])
        self.assertEqual(document["column"]("time")[1:], [10, 0])  # a row out of turn does not run backwards
        self.assertEqual(document["ranges"], [[0x1000, 0x1000 + 100], [0x7f0000000000, 0x7f0000000000 + 4194304]])

    def test_stacks_levels_and_failures_of_a_snapshot(self):
        document, = self.data(self.write("s.pickle", snapshot()))
        stacks = [[document["frames"][frame] for frame in stack] for stack in document["stacks"]]
        wanted = [[[frame["name"], frame["filename"], frame["line"]] for frame in frames(*names)]
                  for names in ((), ("weights", "main"), ("attention", "forward", "main"), ("mlp", "forward", "main"))]
        self.assertEqual(stacks, wanted)
        self.assertEqual(document["column"]("stack"), [1] + [2, 3] * 100)
        self.assertEqual(document["column"]("level_bytes"), [32 * MIB, 64 * MIB])
        self.assertEqual(document["column"]("level_event"), [0, 1 + 50 * 4])
        self.assertEqual(document["failures"], [[1 + 70 * 4 + 2, 512 * MIB, 100 * MIB]])

    def test_an_out_of_memory_file(self):
        document, = self.data(self.write("oom.json", shortage()))
        self.assertEqual(document["kind"], "oom")
        self.assertEqual([region[2] for region in document["regions"]], [4, 1, 4, 2, 5, 1, 3, 0])
        self.assertEqual(document["request"], {"bytes": 16 * MIB, "missing": 4 * MIB})
        self.assertEqual(document["windows"][0][3], [[8 * MIB, 4 * MIB], [16 * MIB, 4 * MIB]])
        self.assertEqual([block[3] for block in document["blocks"]], [True, False, False])
        self.assertEqual({row[0]: row[3] for row in document["figures"]}["allocations"], [7])

    def test_who_holds_the_memory(self):
        for made in ({**report(), "who": holders()}, {**shortage(), "who": holders()}):
            document, = self.data(self.write("with.json", made))
            who = document["who"]
            self.assertEqual(who["at_peak"], [6 * MIB, 2 * MIB, 4 * MIB])
            self.assertEqual(who["live"], [0, 0, 4 * MIB])
            in_words = [[who["frames"][frame] for frame in stack] for stack in who["stacks"]]
            self.assertEqual(in_words[0], ["empty (libtorch.so)", "attention (train)", "main (train)", '"forward"'])
            self.assertEqual(in_words[1], ["empty (libtorch.so)", "mlp (train)", "main (train)", "MLP.forward (model.py:7)",
                                           "<module> (train.py:3)", '"forward"'])
            self.assertEqual(in_words[2], ["weights (train)", "main (train)"])
        self.assertIsNone(self.data(self.write("without.json", report()))[0]["who"])

    def test_reports_and_many_inputs(self):
        processes = {"format": "gmlake-processes", "version": 1, "processes": [report(), report("other")]}
        made = self.data(self.write("r.json", report()), self.write("p.json", processes), self.generate("t.csv"))
        self.assertEqual([one["kind"] for one in made], ["report", "report", "report", "trace"])
        self.assertEqual(made[0]["columns_of_figures"], ["all devices", "device 0", "device 1"])
        self.assertEqual({row[0]: row[3] for row in made[0]["figures"]}["allocations"], [6, 3, 3])

    def test_packed_json(self):
        path = self.folder / "oom.json.gz"
        path.write_bytes(gzip.compress(json.dumps(shortage()).encode()))
        self.assertEqual(self.data(path)[0]["kind"], "oom")

    def test_no_text_of_the_input_is_in_the_page_itself(self):
        for path in (self.write("s.pickle", snapshot(EVIL)), self.write("oom.json", shortage(EVIL)), self.write("r.json", report(EVIL)),
                     self.write("</script><img src=x>.csv".replace("/", "\\"), "Action,Pointer,Size,Stream\nallocate,0x1,5,0\n")):
            text = self.page(path).read_text()
            for part in ("<img", "onerror", "evil", "\x1b", "\u2028"):
                self.assertNotIn(part, text)
        self.assertIn(EVIL, data_of(self.page(self.write("oom.json", shortage(EVIL))).read_text())["documents"][0]["explanation"])

    def test_what_is_wrong_is_said_with_its_place(self):
        def refused(content, *words, name="x.json"):
            done = self.gmlake("report", "--html", self.folder / "out.html", self.write(name, content), status=65)
            for word in (name, *words):
                self.assertIn(word, done.stderr.decode())
            self.assertFalse((self.folder / "out.html").exists())
        refused({"format": "something"}, "no report")
        refused("{", "parse error")
        refused({**shortage(), "regions": [{"start": 1}]}, "state")
        refused({**shortage(), "memory": 5}, "type")
        refused({**report(), "total": None}, "type")
        refused("Action,Pointer,Size,Stream\n", "no allocation", name="empty.csv")
        refused("no trace\n", "header", name="x.csv")
        self.assertIn(b"99999999", self.gmlake("report", "--html", self.folder / "out.html", "99999999", status=65).stderr)
        self.assertIn(b"name what to show", self.gmlake("report", "--html", self.folder / "out.html", status=64).stderr)
        self.assertIn(b"/dev/full", self.gmlake("report", "--html", "/dev/full", self.generate("t.csv"), status=73).stderr)

    def test_to_standard_output(self):
        self.assertIn(b"</html>", self.gmlake("report", "--html", "-", self.generate("t.csv")).stdout)


if __name__ == "__main__":
    unittest.main()
