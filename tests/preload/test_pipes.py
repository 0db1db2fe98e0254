"""Pipes where files are expected: the program goes on, and ends as it does without, whoever is or is not at the other end."""

import os
import time

import harness

PROGRAM = harness.PROGRAMS / "misuse_driver"  # among its calls are allocations that fail, for stats.oom_file
WRITTEN = {"stats.file": "GMLAKE_STATS_FILE", "stats.json_file": "GMLAKE_STATS_JSON_FILE", "log.file": "GMLAKE_LOG_FILE",
           "stats.oom_file": "GMLAKE_STATS_OOM_FILE"}
SECONDS = 60  # the bound is 5 for each write, on any machine


class Pipes(harness.Case):
    def setUp(self):
        super().setUp()
        self.pipe = self.folder / "pipe"
        os.mkfifo(self.pipe)
        self.plain = self.run_program()

    def run_program(self, **settings):
        start = time.monotonic()
        process = harness.run(PROGRAM, env=harness.environment(GMLAKE_STATS_REPORT="full", **settings))
        self.assertEqual(process.returncode, 0, process.stderr)
        if not harness.PRELOAD_FIRST:
            self.assertLess(time.monotonic() - start, SECONDS)
        return process

    def check_each_file(self):
        for option, variable in WRITTEN.items():
            with self.subTest(option):
                process = self.run_program(**{variable: self.pipe})
                self.assertEqual(process.stdout, self.plain.stdout)
                self.assertIn(option, process.stderr)

    def test_nobody_reads(self):
        self.check_each_file()

    def test_a_reader_that_does_not_read(self):
        reader = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        writer = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, writer)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            pass
        self.check_each_file()

    def test_a_configuration(self):
        process = self.run_program(GMLAKE_CONFIG=self.pipe)
        self.assertIn("pipe: is empty", process.stderr)
        # One who has it open and writes nothing.
        writer = os.open(self.pipe, os.O_RDWR)
        self.addCleanup(os.close, writer)
        process = self.run_program(GMLAKE_CONFIG=self.pipe)
        self.assertIn("pipe: can not be read", process.stderr)

    def test_a_folder_of_pages(self):
        self.run_program(GMLAKE_STATS_LIVE_FOLDER=self.pipe)

    def test_the_command(self):
        for command in (["config", "check", self.pipe], ["report", self.pipe], ["stats", "--folder", self.pipe],
                        ["run", "--config", self.pipe, "--", "true"]):
            process = harness.run(harness.GMLAKE, *command, env=harness.environment(preload=False), timeout=SECONDS)
            self.assertTrue(process.returncode != 0 or command[0] == "stats", command)  # which finds nobody there


if __name__ == "__main__":
    harness.main()
