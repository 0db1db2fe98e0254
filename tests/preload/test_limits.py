"""pool.max_bytes and pool.max_share hold for all that a process takes of a device; idle memory goes back to it."""

import json
import signal
import subprocess
import time

import harness
from harness import MIB

PROGRAM = harness.PROGRAMS / "own_memory"
GIB = 1024 * MIB


class Limits(harness.Case):
    def run_program(self, *what, **settings):
        settings = {"GMLAKE_POOL_RELEASE_AFTER": 0, "GMLAKE_LOG_LEVEL": "off", **settings}
        process, report = self.served(PROGRAM, *what, SIMCUDA_MEMORY="8GiB", SIMCUDA_BACKING="none", **settings)
        said = [tuple(line.rsplit(" ", 1)) for line in process.stdout.splitlines()]
        return lambda name: [int(value) for key, value in said if key == name], report

    def holder(self, **settings):
        """A process with 768 MiB free in its pool, which nothing wants for some seconds; without a thread but for what others ask."""
        process = subprocess.Popen([PROGRAM, "idle", "768", "4000", "1"], stdout=subprocess.PIPE, text=True,
                                   env=harness.environment(SIMCUDA_MEMORY="8GiB", SIMCUDA_BACKING="none", GMLAKE_STATS_REPORT="none",
                                                           GMLAKE_POOL_RELEASE_AFTER=0, **settings))
        while not process.stdout.readline().startswith("idle"):
            pass
        return process

    def test_every_way_to_take_memory(self):
        """4 pieces of 256 MiB, and as many again once they are freed."""
        for what, kind in (("blocks", None), ("stream_blocks", None), ("pitched", "native_live_bytes"),
                           ("pool", "own_pool_bytes")):
            for limit in ({"GMLAKE_POOL_MAX_BYTES": "1GiB"}, {"GMLAKE_POOL_MAX_SHARE": "0.125"}):
                with self.subTest(what=what, **limit):
                    values, report = self.run_program(what, **limit)
                    self.assertEqual(values("pieces"), [4, 4])
                    self.assertEqual(values("error"), [2, 2])
                    self.assertEqual(values("free failed"), [])
                    self.assertEqual(report["peak_taken_bytes"], GIB)
                    self.assertEqual(report["peak_beside_bytes"], GIB if kind else 0)
                    self.assertGreaterEqual(report["limit_refusals"], 2)
                    self.assertEqual(report["native_live_bytes"], 0)

    def test_without_a_limit_they_are_counted(self):
        for what, kind in (("pitched", "peak_beside_bytes"), ("handles", "own_handle_bytes"), ("pool", "peak_beside_bytes")):
            with self.subTest(what=what):
                values, report = self.run_program(what)
                self.assertEqual(report["limit_refusals"], 0)
                self.assertGreater(values("pieces")[0], 24)
                self.assertEqual(report[kind], values("pieces")[0] * 256 * MIB)

    def test_a_pool_that_is_not_destroyed_is_counted(self):
        values, report = self.run_program("pool", SIMCUDA_FAULTS="cuMemPoolDestroy:1=1")
        self.assertEqual(values("destroy"), [1])
        self.assertEqual(report["own_pool_bytes"], report["peak_beside_bytes"])
        _, report = self.run_program("pool")
        self.assertEqual(report["own_pool_bytes"], 0)

    def test_own_physical_memory(self):
        """It is counted as long as a handle or a mapping keeps it; what fails changes nothing."""
        values, report = self.run_program("handles", GMLAKE_POOL_MAX_BYTES="1GiB")
        self.assertEqual(values("pieces"), [4, 4])
        self.assertEqual(values("while mapped") + values("while retained") + values("after"), [2, 2, 0])
        self.assertEqual(values("wrong release") + values("wrong unmap"), [1, 1])
        self.assertEqual(values("release failed"), [])
        self.assertEqual(report["own_handle_bytes"], GIB)
        self.assertEqual(report["peak_taken_bytes"], GIB)

    def test_the_pool_gives_way(self):
        values, report = self.run_program("handles_behind_pool", GMLAKE_POOL_MAX_BYTES="1GiB")
        self.assertEqual(values("pieces"), [4])
        self.assertEqual(values("malloc"), [0, 2])  # all of the limit is the program's own now
        self.assertLessEqual(report["peak_taken_bytes"], GIB)
        self.assertEqual((report["own_handle_bytes"], report["physical_bytes"]), (GIB, 0))

    def test_memory_info_knows_the_limit(self):
        values, _ = self.run_program("info", GMLAKE_POOL_MAX_BYTES="1GiB")
        self.assertEqual(values("free"), [512])
        values, _ = self.run_program("info")
        self.assertGreater(values("free")[0], 7000)

    def test_a_pool_switched_off_only_counts(self):
        values, report = self.run_program("blocks", GMLAKE_POOL_MAX_BYTES="1GiB", GMLAKE_POOL_ENABLED="false")
        self.assertGreater(values("pieces")[0], 24)
        self.assertEqual(report["peak_taken_bytes"], values("pieces")[0] * 256 * MIB)

    def test_with_one_door(self):
        for door in ("DRIVER", "RUNTIME"):
            with self.subTest(closed=door):
                values, report = self.run_program("blocks", GMLAKE_POOL_MAX_BYTES="1GiB",
                                                  **{f"GMLAKE_HOOKS_{door}": "false"})
                self.assertEqual(values("pieces"), [4, 4])
                self.assertEqual(report["peak_taken_bytes"], GIB)

    def test_idle_memory_goes_back(self):
        _, report = self.run_program("idle", 512, 2500, 1, GMLAKE_POOL_RELEASE_AFTER="0.4")
        self.assertEqual((report["physical_bytes"], report["unwanted_bytes"]), (0, 512 * MIB))
        _, report = self.run_program("idle", 512, 1000, 1)
        self.assertEqual((report["physical_bytes"], report["unwanted_bytes"]), (512 * MIB, 0))

    def test_what_is_idle_goes_to_another_process(self):
        """At once, when that one runs out of memory; each may stay out of it."""
        for asks, asked, given in (("true", "true", 768 * MIB), ("false", "true", 0), ("true", "false", 0)):
            with self.subTest(asks=asks, asked=asked):
                file = self.folder / f"idle-{asks}-{asked}.json"
                holder = self.holder(GMLAKE_POOL_ASK_OTHERS=asked, GMLAKE_STATS_JSON_FILE=file)
                values, _ = self.run_program("blocks", GMLAKE_POOL_ASK_OTHERS=asks)
                self.assertEqual(values("error"), [2, 2])
                self.assertEqual(holder.wait(), 0)
                holder.stdout.close()
                report = harness.Report(json.loads(file.read_text()))
                self.assertEqual((report["wished_bytes"], report["physical_bytes"]), (given, 768 * MIB - given))

    def test_nobody_waits_for_who_does_not_answer(self):
        """A process that is stopped while it has memory free: who runs out waits 0.2 s in all, and is refused as natively."""
        holder = self.holder()
        holder.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            values, _ = self.run_program("blocks")
            stopped = time.monotonic() - began
            began = time.monotonic()
            self.run_program("blocks", GMLAKE_POOL_ASK_OTHERS="false")
            alone = time.monotonic() - began
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
        self.assertEqual(values("error"), [2, 2])
        self.assertLess(stopped - alone, 2)

    def test_a_loop_keeps_its_memory(self):
        _, report = self.run_program("idle", 512, 50, 40, GMLAKE_POOL_RELEASE_AFTER="2")
        self.assertEqual((report["physical_bytes"], report["unwanted_bytes"]), (512 * MIB, 0))
        self.assertEqual(report["growths"], 1)

    def test_exit_at_any_moment(self):
        """The thread that looks is out of the driver's way when exit() has begun."""
        for milliseconds in (1, 5, 20, 60):
            with self.subTest(milliseconds=milliseconds):
                self.run_program("idle", 512, milliseconds, 8, GMLAKE_POOL_RELEASE_AFTER="0.004")


if __name__ == "__main__":
    harness.main()
