"""Output that does not arrive is an error: a full disk, a pipe that nobody reads, no standard output at all."""
import json
import os
import signal
import subprocess
import tempfile
import unittest

from cli import GMLAKE, PROBE, environment

CAN_NOT_WRITE = 73
COMMANDS = (["--help"], ["--version"], ["config", "show"], ["config", "schema"], ["config", "check"],
            ["stats", "--json", "--folder", "/nowhere"],
            ["trace", "generate", "--model", "tiny", "--iterations", "1", "--output", "-"])


class Output(unittest.TestCase):
    def refused(self, command, reason, **how):
        done = subprocess.run([GMLAKE, *command], stderr=subprocess.PIPE, text=True, timeout=60, env=environment(), **how)
        self.assertNotEqual(done.returncode, 0, command)
        self.assertRegex(done.stderr, f"standard output can not be written|-: {reason}")
        self.assertEqual(done.stderr.count("gmlake:"), 1, done.stderr)
        return done.returncode

    def test_a_full_disk(self):
        for command in COMMANDS:
            with self.subTest(command=command), open("/dev/full", "w", encoding="utf-8") as full:
                self.refused(command, "No space left on device", stdout=full)
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assertEqual(self.refused(["config", "show"], "", stdout=full),
                             CAN_NOT_WRITE)

    def test_a_pipe_that_nobody_reads(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                reader, writer = os.pipe()
                os.close(reader)
                # Where the signal is ignored there is the message; elsewhere it ends the command as it ends others.
                self.refused(command, "Broken pipe", stdout=writer, preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
                done = subprocess.run([GMLAKE, *command], stdout=writer, stderr=subprocess.PIPE, env=environment(), timeout=60)
                self.assertEqual(done.returncode, -signal.SIGPIPE)
                os.close(writer)

    def test_no_standard_output(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                self.refused(command, "Bad file descriptor", preexec_fn=lambda: os.close(1))

    def test_no_file_is_taken_for_standard_output(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log")
            subprocess.run([GMLAKE, "replay", "/dev/null"], env=environment(GMLAKE_LOG_FILE=path), timeout=60,
                           stderr=subprocess.DEVNULL, preexec_fn=lambda: os.close(1))
            report = os.path.join(folder, "c.json")
            subprocess.run([GMLAKE, "config", "show", "--config", report], env=environment(), timeout=60,
                           stderr=subprocess.DEVNULL, preexec_fn=lambda: os.close(1))
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    self.assertEqual(file.read(), "")

    def test_a_program_that_is_run_has_what_gmlake_was_given(self):
        show = "import json, os; print(json.dumps(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3]))"
        done = subprocess.run([GMLAKE, "run", "--library", PROBE, "--", "python3", "-c", show], env=environment(),
                              stdout=subprocess.PIPE, timeout=60, preexec_fn=lambda: os.close(0), check=True)
        self.assertEqual(json.loads(done.stdout)[0], 0)  # of the listing itself: the number was free


if __name__ == "__main__":
    unittest.main()
