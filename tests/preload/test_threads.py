"""Threads that are cancelled or fork in the middle of our calls: each call is done or not, and nobody waits for ever."""

import fcntl
import os
import subprocess

import harness

SEED = int(os.environ.get("GMLAKE_TEST_SEED", "1"))
# So that a call of the driver's is where a thread is found, and can be cancelled.
SLOW = ",".join(f"{name}:every=1=delay=200us" for name in ("cuMemCreate", "cuMemMap", "cuMemSetAccess", "cuEventRecord",
                                                           "cuCtxRecordEvent"))


class Cancelled(harness.Case):
    def cancelled(self, mode, rounds=60, **settings):
        print("seed", SEED)
        process, report = self.served(harness.PROGRAMS / "cancelled", mode, rounds, SEED, SIMCUDA_SEED=None, **settings)
        self.assertEqual(process.stdout, f"rounds {rounds}, as told {rounds}\n", process.stderr)
        self.assertEqual(process.stderr, "")
        self.assertEqual((report["live_blocks"], report["native_allocations"]), (0, 0))
        self.assertEqual(report["allocations"], report["frees"])
        return report

    def test_in_a_miss(self):
        report = self.cancelled("miss", SIMCUDA_FAULTS=SLOW, GMLAKE_POOL_RELEASE_THRESHOLD="1MiB")
        self.assertGreater(report["growths"], 10)

    def test_in_a_wait_for_the_gpu(self):
        report = self.cancelled("wait", SIMCUDA_MEMORY="64MiB")
        self.assertGreater(report["fence_waits"], 10)

    def test_when_it_was_told_to_end_before(self):
        self.cancelled("asked", 20, GMLAKE_LOG_FILE=self.folder / "log", GMLAKE_LOG_LEVEL="debug")

    def test_ends_with_objects_that_free(self):
        self.cancelled("exit", 40)


class Forked(harness.Case):
    def forked(self, mode, children, **settings):
        process = harness.run(harness.PROGRAMS / "forked", mode,
                              env=harness.environment(GMLAKE_STATS_REPORT="none", SIMCUDA_SEED=None, **settings))
        self.assertEqual((process.returncode, process.stdout), (0, f"ended {children} of {children}\n"), process.stderr)

    def test_beside_threads_that_use_memory(self):
        self.forked("beside", 60, GMLAKE_LOG_LEVEL="info", GMLAKE_LOG_FILE=self.folder / "log")

    def test_before_cuda_has_begun(self):
        self.forked("before", 60)

    def test_first_calls_of_several_threads(self):
        self.forked("first", 60)

    def test_while_a_message_is_written(self):
        """To a pipe that is full and that nobody reads, so that the thread that writes never gets further."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            while os.write(writer, b"x"):
                pass
        except BlockingIOError:
            pass
        fcntl.fcntl(writer, fcntl.F_SETFL, 0)
        try:
            process = subprocess.run([harness.PROGRAMS / "forked", "logging"], stdout=subprocess.PIPE, stderr=writer, text=True,
                                     env=harness.environment(GMLAKE_STATS_REPORT="none"), timeout=harness.TIMEOUT)
        finally:
            os.close(writer)
        self.assertEqual((process.returncode, process.stdout), (0, "ended 3 of 3\n"))


if __name__ == "__main__":
    harness.main()
