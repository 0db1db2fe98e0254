"""A recorded program can be replayed: as it was, from wherever it was killed, from what is left of it, from its child."""

import gzip
import json
import os
import random
import re
import resource
import signal
import subprocess
import time

import harness

SEED = int(os.environ.get("GMLAKE_TEST_SEED", random.randrange(1 << 32)))
print(f"seed {SEED}", flush=True)
HANDING_ON = harness.PROGRAMS / "handing_on"


class Recorded(harness.Case):
    def setUp(self):
        super().setUp()
        self.trace = self.folder / "trace.csv.gz"

    def recorded(self, *command, **settings):
        return self.served(*command, GMLAKE_TRACE_FILE=settings.pop("file", self.trace), **settings)

    def gmlake(self, *arguments, status=0):
        process = harness.run(harness.GMLAKE, *arguments, env=harness.environment(preload=False, simcuda=False))
        self.assertEqual(process.returncode, status, process.stderr)
        return process

    def info(self, trace=None):
        return json.loads(self.gmlake("trace", "info", "--json", trace or self.trace).stdout)[0]

    def replay(self, trace=None, *options):
        result = self.gmlake("replay", "--json", "--device-memory", "4GiB", *options, trace or self.trace)
        return json.loads(result.stdout)[0], result.stderr

    def rows(self, trace=None):
        """What can be unpacked, a list for each row; without the headers."""
        lines = []
        with gzip.open(trace or self.trace, "rt") as file:
            try:
                for line in file:
                    lines.append(line)
            except EOFError:
                pass
        rows = [line.rstrip("\n").split(",") for line in lines if line.endswith("\n")]
        return [row for row in rows if row[0] != "Thread"]


class Replays(Recorded):
    """Counts and peaks of the replay are those of the process."""

    def check(self, client, api):
        path = self.folder / "program.csv"
        # So much that a hundredth of it is more than a chunk.
        written = harness.mixed_trace(path, seed=SEED, streams=4, events=1500, most_live=384 * harness.MIB)
        _, report = self.recorded(harness.PROGRAMS / client, "--api", api, "--touch", "ends", "--loops", 2, path,
                                  SIMCUDA_MEMORY="4GiB")
        info = self.info()
        self.assertEqual(info["allocations"], 2 * written.allocations)
        self.assertEqual(info["allocations"], report["allocations"])
        self.assertEqual(info["frees"], report["frees"])
        self.assertEqual(info["peak_live_bytes"], report["peak_live_bytes"])
        self.assertEqual((info["unknown_frees"], info["lost_events"], info["cut"]), (0, 0, False))
        replay, said = self.replay()
        self.assertEqual(said, "")
        self.assertEqual(replay["allocations"], report["allocations"])
        self.assertEqual(replay["peak_live_bytes"], report["peak_live_bytes"])
        physical = report["peak_physical_bytes"]
        self.assertLessEqual(abs(replay["peak_physical_bytes"] - physical), physical / 100)
        # The client waits for all of the context now and then, which is the host's.
        self.assertEqual(len({stream["stream"] for stream in info["streams"]} - {"host"}), 4 if api == "async" else 0)
        self.assert_callers(client)

    def assert_callers(self, client):
        """Calls come from the program, at places that its file has code at."""
        rows = self.rows()
        modules = {row[5]: row for row in rows if row[2] == "module"}
        # The call with which the recording begins was under way then.
        callers = {row[7] for row in [row for row in rows if row[2] in ("allocate", "free")][1:] if row[7]}
        self.assertGreaterEqual(len(callers), 2)
        for caller in callers:
            number, offset = re.fullmatch(r"(\d+)\+0x([0-9a-f]+)", caller).groups()
            self.assertLess(int(offset, 16), int(modules[number][4]))
            self.assertTrue(modules[number][7].endswith(client), modules[number])


for client in ("shared", "static", "driver"):
    for api in ("async", "malloc"):
        setattr(Replays, f"test_{client}_{api}",
                lambda self, client=client, api=api: self.check(f"replay_client_{client}", api))


class Threads(Recorded):
    def test_addresses_that_go_round_stay_in_order(self):
        """Eight threads free each other's blocks: no free stands behind the allocation that got its memory."""
        process, report = self.recorded(HANDING_ON, 8, 4000, 20, SIMCUDA_CHECKS="none")
        blocks = int(process.stdout.split()[-1])
        info = self.info()  # an allocation of what is live is an error there
        self.assertEqual((info["lost_events"], info["unknown_frees"]), (0, 0))
        self.assertEqual((info["allocations"], info["frees"]), (blocks, blocks))
        self.assertEqual(report["allocations"], blocks)
        self.assertEqual(info["never_freed_blocks"], 0)
        self.assertGreaterEqual(info["threads"], 8)
        self.assertGreater(info["records"], 0)
        self.assertGreater(info["waits"], 0)
        replay, _ = self.replay()
        self.assertEqual(replay["allocations"], blocks)
        times = [float(row[1]) for row in self.rows()]
        self.assertEqual(times, sorted(times))


class Killed(Recorded):
    def test_all_but_the_last_second_is_there(self):
        env = harness.environment(GMLAKE_TRACE_FILE=self.trace, GMLAKE_STATS_REPORT="none", SIMCUDA_CHECKS="none")
        process = subprocess.Popen([HANDING_ON, "2", "0", "500"], env=env, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        time.sleep(3)
        process.send_signal(signal.SIGKILL)
        killed = time.time()
        process.wait()
        process.stdout.close()
        info = self.info()
        self.assertTrue(info["cut"])
        self.assertLessEqual(info["cut_rows"], 1)
        rows = self.rows()
        began = int(next(row for row in rows if row[2] == "process")[7].split()[1])
        # Its clock begins within that second.
        self.assertLess(killed - (began + float(rows[-1][1])), 1 + 1.2)
        self.assertEqual((info["unknown_frees"], info["lost_events"]), (0, 0))
        replay, said = self.replay()
        self.assertEqual(replay["allocations"], info["allocations"])
        self.assertIn("its end is missing", said)

    def test_cut_anywhere_it_is_read_and_what_is_skipped_is_counted(self):
        self.recorded(HANDING_ON, 2, 2000)
        whole = self.info()
        packed = self.trace.read_bytes()
        pick = random.Random(SEED)
        cut = self.folder / "cut.csv.gz"
        rows = 0
        for _ in range(20):
            cut.write_bytes(packed[:pick.randrange(len(packed) // 4, len(packed))])
            info = self.info(cut)
            self.assertTrue(info["cut"])
            self.assertLessEqual(info["cut_rows"], 1)
            self.assertLess(info["allocations"], whole["allocations"] + 1)
            rows += info["cut_rows"]
        self.assertGreater(rows, 0)
        text = gzip.decompress(packed)
        plain = self.folder / "cut.csv"
        plain.write_bytes(text[:text.rindex(b"allocate", 0, len(text) // 2)])
        self.assertEqual(self.info(plain)["cut_rows"], 1)


class OnDemand(Recorded):
    def test_of_a_running_process(self):
        """gmlake dump --trace begins a recording and ends it, as often as one likes; the process goes on."""
        env = harness.environment(GMLAKE_STATS_REPORT="none", GMLAKE_LIVE_CONTROL="true", SIMCUDA_CHECKS="none")
        asks = harness.environment(preload=False, simcuda=False)
        process = subprocess.Popen([HANDING_ON, "2", "0", "500"], env=env, stdout=subprocess.PIPE, text=True)
        dump = lambda *words: harness.run(harness.GMLAKE, "dump", process.pid, *words, env=asks)
        try:
            self.assertEqual(process.stdout.readline(), "ready\n")
            self.assertEqual(dump("--trace", "off").returncode, 69)  # there is none
            for name in ("first.csv.gz", "second.csv.gz"):
                file = self.folder / name
                said = dump(file, "--trace", "on")
                self.assertEqual((said.returncode, said.stdout), (0, f"{file}\n"), said.stderr)
                self.assertEqual(dump(self.folder / "other.csv.gz", "--trace", "on").returncode, 69)
                time.sleep(0.5)
                self.assertEqual(dump("--trace", "off", file).returncode, 64)
                self.assertEqual(dump("--trace", "off").returncode, 0)
                size = file.stat().st_size
                info = self.info(file)
                self.assertFalse(info["cut"])
                self.assertGreater(info["allocations"], 100)
                # Each thread had a few blocks when it began.
                self.assertLess(info["unknown_frees"], 10)
                replay, _ = self.replay(file)
                self.assertEqual(replay["allocations"], info["allocations"])
                time.sleep(0.7)
                self.assertEqual(file.stat().st_size, size)
            self.assertFalse((self.folder / "other.csv.gz").exists())
            self.assertEqual(dump("--trace", "maybe").returncode, 64)
            self.assertIsNone(process.poll())
        finally:
            process.kill()
            process.communicate()


class Bounded(Recorded):
    def test_a_ring(self):
        """The newest part is kept, in the bound, and can be replayed by itself."""
        most = 4 * harness.MIB
        process, _ = self.recorded(HANDING_ON, 4, 150000, GMLAKE_TRACE_MAX_BYTES=most, SIMCUDA_CHECKS="none")
        blocks = int(process.stdout.split()[-1])
        self.assertEqual(process.stderr, "")
        self.assertLessEqual(self.trace.stat().st_size, most)
        self.assertEqual([name.name for name in self.folder.iterdir() if "trace" in name.name], ["trace.csv.gz"])
        info = self.info()
        self.assertFalse(info["cut"])
        # What was lost for want of time may be frees of what is not known any more.
        if info["lost_events"] == 0:
            self.assertEqual(info["unknown_frees"], 0)
            self.assertEqual(info["never_freed_blocks"], 0)
        self.assertLess(info["allocations"], blocks)
        replay, _ = self.replay()
        self.assertEqual(replay["allocations"], info["allocations"])
        self.assertFalse(replay["out_of_memory"])

    def test_a_file_that_can_not_grow(self):
        """One message, and the program goes on as before."""
        def little():
            resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
        env = harness.environment(GMLAKE_TRACE_FILE=self.trace, GMLAKE_STATS_REPORT="none",
                                  GMLAKE_STATS_LIVE="false", SIMCUDA_BACKING="none", SIMCUDA_CHECKS="none")
        process = subprocess.run([HANDING_ON, "2", "30000"], env=env, capture_output=True, text=True,
                                 preexec_fn=little, timeout=harness.TIMEOUT)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stdout, "ready\n60000\n")
        self.assertEqual(process.stderr.count("gmlake: "), 1, process.stderr)
        self.assertRegex(process.stderr, r"trace\.file: \S*trace\.csv\.gz can not be written: File too large; "
                                         "the recording ends there, the program goes on")
        self.assertLessEqual(self.trace.stat().st_size, 16384)
        self.info()

    def test_where_nothing_can_be_written(self):
        os.mkfifo(self.folder / "pipe")
        for path, why in (("/proc/none/trace.csv.gz", "can not be written"), (self.folder, "Is a directory"),
                          (self.folder / "pipe", "is no regular file")):
            with self.subTest(path=path):
                process, report = self.recorded(HANDING_ON, 2, 100, file=path)
                self.assertEqual(report["allocations"], 200)
                self.assertEqual(process.stderr.count("gmlake: "), 1, process.stderr)
                self.assertIn(why, process.stderr)


class Processes(Recorded):
    def test_forked_children_have_their_own(self):
        """Each that uses CUDA itself records itself; what a child inherits goes on in the parent."""
        traces = self.folder / "traces"
        traces.mkdir()
        for way in ("before", "beside"):
            with self.subTest(way=way):
                env = harness.environment(GMLAKE_TRACE_FILE=traces / f"{way}-%p.csv.gz", GMLAKE_STATS_REPORT="none",
                                          SIMCUDA_SEED=None)
                process = harness.run(harness.PROGRAMS / "forked", way, env=env)
                self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
                files = list(traces.glob(f"{way}-*"))
                self.assertGreater(len(files), 1 if way == "before" else 0)
                for file in files:
                    info = self.info(file)
                    self.assertEqual(info["unknown_frees"] if info["lost_events"] == 0 else 0, 0, file)
                    recorded = next(row for row in self.rows(file) if row[2] == "process")
                    self.assertEqual(recorded[7].split()[0], re.search(r"-(\d+)\.csv", file.name).group(1))

    def test_two_of_one_name(self):
        env = harness.environment(GMLAKE_TRACE_FILE=self.trace, GMLAKE_STATS_REPORT="none", SIMCUDA_CHECKS="none")
        first = subprocess.Popen([HANDING_ON, "2", "0", "1000"], env=env, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(first.stdout.readline(), "ready\n")
            second = harness.run(HANDING_ON, 2, 100, env=env)
            self.assertEqual(second.returncode, 0)
            self.assertIn("another process", second.stderr)
        finally:
            first.kill()
            first.communicate()
        others = [path for path in self.folder.glob("trace.*") if path != self.trace]
        self.assertEqual(len(others), 1)
        self.assertEqual(self.info(others[0])["allocations"], 200)
        self.assertTrue(self.info()["cut"])

    def test_gmlake_record(self):
        env = harness.environment(preload=False, GMLAKE_STATS_REPORT="none")
        process = subprocess.run([str(harness.GMLAKE), "record", "--", str(HANDING_ON), "2", "100"], env=env,
                                 cwd=self.folder, capture_output=True, text=True, timeout=harness.TIMEOUT)
        self.assertEqual((process.returncode, process.stdout), (0, "ready\n200\n"), process.stderr)
        name, = self.folder.glob("gmlake-handing_on-*.csv.gz")
        self.assertEqual(self.info(name)["allocations"], 200)
        process = subprocess.run([str(harness.GMLAKE), "record", "-o", "named.gz", str(HANDING_ON), "2", "100"], env=env,
                                 cwd=self.folder, capture_output=True, text=True, timeout=harness.TIMEOUT)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(self.info(self.folder / "named.gz")["allocations"], 200)

    def test_nothing_is_recorded_unasked(self):
        self.served(HANDING_ON, 2, 100)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["report.json"])


if __name__ == "__main__":
    harness.main()
