"""How processes start, fail and end with the library in front: all as they do without it."""

import json
import os
import resource
import signal
import subprocess

import harness


class Same(harness.Case):
    """The program says and returns the same natively and under the library."""

    def compare(self, *command):
        native = harness.run(*command, env=harness.environment(preload=False))
        # What the library itself has to say about an out of memory is not the program's.
        process, report = self.served(*command, status=native.returncode, GMLAKE_LOG_LEVEL="off")
        self.assertEqual(process.stdout, native.stdout)
        self.assertEqual(process.stderr, native.stderr)
        return native, report

    def test_misuse_runtime(self):
        native, report = self.compare(harness.PROGRAMS / "misuse_shared")
        self.assertIn("free of null: 0", native.stdout)
        self.assertIn("allocate huge: 2", native.stdout)
        self.assertIn("allocate all: 2", native.stdout)
        self.assertIn("free again: 1", native.stdout)
        self.assertEqual(report["allocations"], 3)

    def test_misuse_driver(self):
        native, report = self.compare(harness.PROGRAMS / "misuse_driver")
        self.assertIn("allocate huge: 2", native.stdout)
        self.assertIn("allocate all: 2", native.stdout)
        self.assertIn("free again: 1", native.stdout)
        self.assertEqual(report["allocations"], 3)

    def test_primary_context_that_goes_away(self):
        native, report = self.compare(harness.PROGRAMS / "primary_context")
        self.assertEqual(native.returncode, 0)
        self.assertIn("active: 0\nthe same: 1\nfree of what is gone: 1\n", native.stdout.replace("retain: 0\nset current: 0\n", ""))
        self.assertEqual((report["native_allocations"], report["live_blocks"]), (0, 0))

    def test_capture(self):
        """What is captured is the driver's own; a capture is not disturbed, whatever the pool does meanwhile."""
        for client in ("capture_shared", "capture_static"):
            for driver_door in ("true", "false"):
                with self.subTest(client=client, driver_door=driver_door):
                    native = harness.run(harness.PROGRAMS / client, env=harness.environment(preload=False))
                    self.assertEqual(native.returncode, 0, native.stdout)
                    process, report = self.served(harness.PROGRAMS / client, GMLAKE_HOOKS_DRIVER=driver_door)
                    self.assertEqual(process.stdout, native.stdout)
                    if client == "capture_shared" or driver_door == "true":
                        self.assertEqual(report["allocations"], 3)
                        self.assertEqual(report["bypass_capture"], 1)

    def exits(self, way, allocations, frees):
        for client in ("leaky_exit_shared", "leaky_exit_driver"):
            with self.subTest(client=client):
                native, report = self.compare(harness.PROGRAMS / client, way)
                self.assertEqual(native.returncode, 0)
                self.assertEqual(report["allocations"], allocations)
                self.assertEqual(report["frees"], frees)
                self.assertEqual(report["live_blocks"], allocations - frees)

    def test_exit_with_live_blocks(self):
        self.exits("live", 3, 0)

    def test_exit_from_a_thread(self):
        self.exits("thread", 4, 0)

    def test_exit_of_a_forked_child(self):
        """The child's exit neither hangs nor writes over the parent's report."""
        self.exits("fork", 3, 0)

    def test_use_by_a_forked_child(self):
        """It is told what it would be natively, whatever other threads were doing in the parent."""
        for client in ("leaky_exit_shared", "leaky_exit_driver"):
            with self.subTest(client=client):
                native, report = self.compare(harness.PROGRAMS / client, "child")
                self.assertEqual(native.returncode, 0)
                self.assertEqual(native.stdout, "child: free 3, allocate 3\n")
                self.assertEqual(report["live_blocks"], 3)

    def test_exit_of_a_program_it_ran(self):
        self.exits("exec", 3, 0)

    def test_free_after_exit_has_begun(self):
        for client in ("leaky_exit_shared", "leaky_exit_driver"):
            with self.subTest(client=client):
                native, report = self.compare(harness.PROGRAMS / client, "destructor")
                self.assertEqual(native.returncode, 0)
                self.assertEqual(report["allocations"], 3)

    def test_quick_exit(self):
        """_exit() runs nothing of ours: no report, and the program's own status."""
        for client in ("leaky_exit_shared", "leaky_exit_driver"):
            process = harness.run(harness.PROGRAMS / client, "quick", env=harness.environment())
            self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))


class NobodyReads(harness.Case):
    """What the library has to say ends nobody: stderr is a pipe without a reader, or a file at the limit of its size."""

    def status(self, *command, limit=None, **settings):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            with open(self.folder / "stderr", "w") as file:
                return subprocess.run(
                    [str(c) for c in command], env=harness.environment(**settings), stdout=subprocess.DEVNULL,
                    stderr=writer if limit is None else file, timeout=harness.TIMEOUT,
                    preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))).returncode
        finally:
            os.close(writer)

    def test_the_report(self):
        self.assertEqual(self.status(harness.PROGRAMS / "leaky_exit_driver", "live"), 0)
        self.assertEqual(self.status(harness.PROGRAMS / "leaky_exit_driver", "live", limit=10, SIMCUDA_BACKING="none"), 0)

    def test_a_message(self):
        self.assertEqual(self.status(harness.PROGRAMS / "giving_back", "exhaust", SIMCUDA_MEMORY="1GiB",
                                     SIMCUDA_BACKING="none", GMLAKE_STATS_REPORT="none"), 0)


# The program's own malloc, which a sanitizer would be in the way of.
if not harness.PRELOAD_FIRST:
    class NoHostMemory(harness.Case):
        """Where the library has no host memory the program goes on and ends as without it, and its memory is as it wrote it.

        Of its allocations each 29th fails, with GMLAKE_TEST_LONG each seventh.
        """
        STRIDE, LEAST_DIGITS = (7, 3) if "GMLAKE_TEST_LONG" in os.environ else (29, 2)

        def test_each_allocation_fails(self):
            configuration = self.folder / "gmlake.json"
            configuration.write_text('{"processes": {"include": ["*", "no_host_memory"]}, "stitch": {"worth": 0, "growth_slack": 0}}')
            for times, first in (("once", 0), ("ever", 3)):
                with self.subTest(times=times):
                    process = harness.run(
                        harness.PROGRAMS / "no_host_memory", times, self.STRIDE, first, timeout=2 * harness.TIMEOUT,
                        env=harness.environment(SIMCUDA_MEMORY="1GiB", GMLAKE_CONFIG=configuration,
                                                GMLAKE_PROCESSES_EXCLUDE="some,others",
                                                GMLAKE_STATS_FILE="/dev/null", GMLAKE_LOG_FILE="/dev/null",
                                                GMLAKE_STATS_JSON_FILE=self.folder / "report.json",
                                                GMLAKE_STATS_OOM_FILE=self.folder / "oom.json"))
                    self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
                    self.assertRegex(process.stdout, rf"^children [0-9]{{{self.LEAST_DIGITS},}}, wrong 0$")


class Lookups(harness.Case):
    """dlsym(RTLD_NEXT) and dlsym(RTLD_DEFAULT) of others answer as without the library."""

    def test_rtld_next(self):
        for level in ("O0", "O2"):
            with self.subTest(level=level):
                command = [harness.PROGRAMS / f"next_client_{level}"]
                plain = harness.run(*command, env=harness.environment(preload=False, LD_LIBRARY_PATH=harness.PROGRAMS))
                loaded = harness.run(*command, env=harness.environment(LD_LIBRARY_PATH=harness.PROGRAMS))
                self.assertEqual(plain.returncode, 0)
                self.assertEqual(
                    plain.stdout, "through the wrapper\ndefault 1, next 0\nnext after the program 2\nunknown (error set)\n")
                self.assertEqual((loaded.returncode, loaded.stdout, loaded.stderr), (0, plain.stdout, plain.stderr))


    def test_dlerror(self):
        command = [harness.PROGRAMS / "looks_closely"]
        plain = harness.run(*command, env=harness.environment(preload=False))
        loaded = harness.run(*command, env=harness.environment(GMLAKE_STATS_REPORT="none"))
        self.assertIn("cudaMalloc: found 1, error 0\n", plain.stdout)
        self.assertIn("cuNoSuchFunction: found 0, error 1\n", plain.stdout)
        self.assertIn("calls: worked 1, error 0\n", plain.stdout)
        self.assertEqual((loaded.returncode, loaded.stdout, loaded.stderr), (0, plain.stdout, plain.stderr))


class Switches(harness.Case):
    def setUp(self):
        super().setUp()
        self.trace = harness.mixed_trace(self.folder / "trace.csv", seed=3, events=60, most_live=32 * harness.MIB)
        self.client = [harness.PROGRAMS / "replay_client_shared", self.folder / "trace.csv"]

    def test_disabled(self):
        report = self.folder / "report.json"
        process = harness.run(
            *self.client, env=harness.environment(GMLAKE_DISABLE=1, GMLAKE_STATS_JSON_FILE=report))
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
        self.assertFalse(report.exists())

    def test_pool_off_forwards_and_counts(self):
        _, report = self.served(*self.client, GMLAKE_POOL_ENABLED="false")
        self.assertEqual(report["allocations"], 0)
        self.assertEqual(report["native_allocations"], self.trace.allocations)
        self.assertEqual(report["native_frees"], self.trace.allocations)
        self.assertEqual(report["bypass_off"], self.trace.allocations)

    def test_program_not_included(self):
        process = harness.run(
            *self.client,
            env=harness.environment(GMLAKE_PROCESSES_EXCLUDE="replay_client_*", GMLAKE_STATS_JSON_FILE=self.folder / "r"))
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
        self.assertFalse((self.folder / "r").exists())

    def test_report_as_text_on_stderr(self):
        process = harness.run(*self.client, env=harness.environment())
        self.assertEqual(process.returncode, 0)
        self.assertEqual(process.stdout, "")
        self.assertIn("gmlake", process.stderr)
        self.assertIn("peak physical", process.stderr)

    def test_report_as_text_in_a_file(self):
        process = harness.run(*self.client, env=harness.environment(GMLAKE_STATS_FILE=self.folder / "%e.txt"))
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
        self.assertIn("peak physical", (self.folder / "replay_client_shared.txt").read_text())

    def test_out_of_memory_is_the_programs_own(self):
        """The client sees CUDA's error 2, says so in its own words, and ends in its own way."""
        memory = f"{self.trace.peak_live_bytes // harness.MIB - 4}MiB"
        native = harness.run(*self.client, env=harness.environment(preload=False, SIMCUDA_MEMORY=memory))
        self.assertEqual(native.returncode, 3, native.stderr)
        process, report = self.served(*self.client, status=3, SIMCUDA_MEMORY=memory)
        self.assertIn("client: out of memory at event", process.stderr)
        self.assertIn("(CUDA error 2:", process.stderr)
        self.assertEqual(report["out_of_memory"], 1)


class Run(harness.Case):
    """`gmlake run` puts the library in front and otherwise is the program."""

    def environment(self):
        return harness.environment(preload=False, LD_PRELOAD=" ".join(harness.PRELOAD_FIRST))

    def test_serves_the_program(self):
        harness.mixed_trace(self.folder / "trace.csv", seed=9, events=40, most_live=16 * harness.MIB)
        report = self.folder / "report.json"
        process = harness.run(
            harness.GMLAKE, "run", "--json", report, "--set", "stats.report=none", "--",
            harness.PROGRAMS / "replay_client_shared", self.folder / "trace.csv",
            env=self.environment())
        self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "", ""))
        self.assertEqual(harness.Report(json.loads(report.read_text()))["native_allocations"], 0)

    def test_leaves_a_picture_when_memory_has_run_out(self):
        def pictures(**settings):
            process = subprocess.run([harness.GMLAKE, "run", "--", harness.PROGRAMS / "hit_loop", "--bytes", str(1 << 30), "1"],
                                     env={**self.environment(), "SIMCUDA_MEMORY": "64MiB", **settings}, cwd=self.folder,
                                     capture_output=True, text=True, timeout=harness.TIMEOUT)
            self.assertEqual(process.returncode, 2, process.stderr)
            self.assertIn("out of memory on device 0: 1.000 GiB were asked for; 960.0 MiB are missing: ", process.stderr)
            return list(self.folder.glob("gmlake-oom.*")), process.stderr
        self.assertEqual(pictures(GMLAKE_STATS_OOM_FILE="")[0], [])
        (picture,), said = pictures()
        self.assertRegex(picture.name, r"^gmlake-oom\.hit_loop\.\d+\.json$")
        self.assertIn(f"whole picture at that moment is in {picture}", said)
        self.assertEqual(json.loads(picture.read_text())["request"]["bytes"], 1 << 30)

    def test_keeps_arguments_exit_status_and_signals(self):
        env = self.environment()
        process = harness.run(harness.GMLAKE, "run", "--", "bash", "-c", 'printf "%s|" "$@"; exit 5', "x", "a b", "--c", env=env)
        self.assertEqual((process.returncode, process.stdout, process.stderr), (5, "a b|--c|", ""))
        process = harness.run(harness.GMLAKE, "run", "bash", "-c", "kill -TERM $$", env=env)
        self.assertEqual(process.returncode, -signal.SIGTERM)


class Hits(harness.Case):
    """Allocating and freeing one size in a loop makes no driver call once the first pair has been served."""

    def test_no_driver_call_on_a_hit(self):
        for api, byte_count in (("async", 4 * harness.MIB), ("async", 3000), ("async", 2 * harness.MIB + 512)):
            with self.subTest(api=api, bytes=byte_count):
                runs = [
                    self.served(harness.PROGRAMS / "hit_loop", "--api", api, "--bytes", byte_count, pairs)
                    for pairs in (10, 10000)
                ]
                few, many = (report for _, report in runs)
                self.assertEqual(many["allocations"] - few["allocations"], 9990)
                self.assertEqual(many["frees"] - few["frees"], 9990)
                self.assertEqual(many["growths"], few["growths"])
                self.assertEqual(many.driver_calls, few.driver_calls)
                self.assertEqual(json.loads(runs[1][0].stdout)["pairs"], 10000)


class Temporaries(harness.Case):
    """cudaMalloc, work and cudaFree in a loop, which natively waits for the GPU at each free."""

    PAIRS = 2000
    BYTES = 4 * harness.MIB

    def loop(self, work, size=BYTES, **settings):
        _, report = self.served(harness.PROGRAMS / "hit_loop", "--api", "malloc", "--work", work, "--bytes", size, self.PAIRS,
                                SIMCUDA_MEMORY="16GiB", **settings)
        self.assertEqual(report["native_allocations"], 0)
        self.assertEqual(report.driver_calls.get("cuCtxSynchronize", 0), 0)
        return report

    # As Thrust does it: the program itself has waited for the work.
    def test_without_a_wait_of_its_own(self):
        report = self.loop("awaited")
        self.assertEqual(report["fence_waits"], 0)
        self.assertLessEqual(report["peak_physical_bytes"], 2 * self.BYTES)

    # There an event takes a stream that comes to wait for all others, and can be had in the cudaFree alone: what was
    # given later would be in its way. Of a size that shares its event with no other free.
    def test_on_a_driver_without_events_of_contexts(self):
        size = 32 * harness.MIB
        report = self.loop("awaited", size, SIMCUDA_SEED=None, SIMCUDA_FAULTS="cuCtxRecordEvent:every=1=801")
        self.assertEqual(report["fence_waits"], 0)
        self.assertGreater(report.driver_calls["cuStreamCreate"], self.PAIRS)
        self.assertEqual(report.driver_calls["cuStreamCreate"], report.driver_calls["cuStreamDestroy_v2"])
        self.assertLessEqual(report["peak_physical_bytes"], 2 * size)

    # The host runs ahead: of the two limits the share of 16 GiB is the larger.
    def test_pending_memory_is_bounded(self):
        for settings in ({}, {"SIMCUDA_SEED": 4}):  # the second: a device that is late with everything
            with self.subTest(**settings):
                report = self.loop("given", **settings)
                self.assertLessEqual(report["peak_physical_bytes"], 2 * self.BYTES + 256 * harness.MIB)
                self.assertLess(report["fence_waits"], self.PAIRS)


class Replays(harness.Case):
    """The library in a process and `gmlake replay` place the same trace alike."""

    def test_same_peaks_as_replay(self):
        path = self.folder / "trace.csv"
        harness.mixed_trace(path, seed=11, events=1500, most_live=512 * harness.MIB)
        _, report = self.served(
            harness.PROGRAMS / "replay_client_shared", "--touch", "ends", path, SIMCUDA_MEMORY="4GiB")
        replayed = harness.run(
            harness.GMLAKE, "replay", path, "--device-memory", "4GiB", "--json", env=harness.environment(preload=False))
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        (result,) = json.loads(replayed.stdout)
        self.assertEqual(report["peak_live_bytes"], result["peak_live_bytes"])
        self.assertEqual(report["peak_physical_bytes"], result["peak_physical_bytes"])


if __name__ == "__main__":
    harness.main()
