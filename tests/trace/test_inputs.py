#!/usr/bin/env python3
"""Files that were made to harm, and files that are none: refused in little time and memory, and it is said why."""

import gzip
import json
import os
import resource
import subprocess
import unittest

from command_line import GMLAKE, CommandLine

HEADER = "Thread,Time,Action,Pointer,Size,Stream\n"
BAD_DATA = 65
# A sanitizer takes ten times as long, and has the addresses of its shadow, more than any bound.
SANITIZED = os.environ.get("GMLAKE_SANITIZED")
SECONDS = 1200 if SANITIZED else 120  # on a busy machine; each of these took minutes, or all of its memory
MEMORY = 4 << 30


def number(value):
    return b"\x8a\x08" + value.to_bytes(8, "little")


def text(value):
    return b"\x8c" + bytes([len(value)]) + value


class Inputs(CommandLine):
    def bounded(self, *command, status=None):
        """Within the bounds above; the simulated device of a replay has addresses of its own, and no such memory."""
        def limit():
            if command[0] != "replay" and not SANITIZED:
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        done = subprocess.run([GMLAKE, *command], capture_output=True, timeout=SECONDS, check=False, preexec_fn=limit)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr[:1000])
        self.assertGreaterEqual(done.returncode, 0)
        return done

    def write(self, name, content, pack=False):
        path = self.path(name)
        with (gzip.open(path, "wb", compresslevel=1) if pack else open(path, "wb")) as file:
            file.write(content)
        return path

    def info(self, rows):
        return self.bounded("trace", "info", "--json", self.write("t.csv", (HEADER + "".join(rows)).encode()))

    def test_a_small_file_that_unpacks_to_a_large_pickle(self):
        bombs = {"stack": b"]" * (1 << 26), "batches": b"]" + (b"(" + b"]" * 1000 + b"e") * 34_000,
                 "recalled": b"]\x94" + (b"(" + b"h\x00" * 1000 + b"e") * ((1 << 27) // 1990),
                 "memo": b"N" + b"\x94" * ((1 << 25) + 10)}
        for name, opcodes in bombs.items():
            with self.subTest(name):
                path = self.write(name, b"\x80\x04" + opcodes, pack=True)
                self.assertLess(os.path.getsize(path), 1 << 22)
                self.assertIn(b"not a readable memory snapshot: ", self.bounded("trace", "info", path, status=BAD_DATA).stderr)

    def snapshot(self, segments, traces):
        return b"\x80\x04}(" + text(b"segments") + segments + text(b"device_traces") + traces + b"u."

    def test_one_value_that_is_shown_a_million_times(self):
        event = (b"}\x94(" + b"".join(number(key) + b"N" for key in range(30_000)) + text(b"action") + text(b"alloc") +
                 text(b"addr") + number(1) + text(b"size") + number(1) + b"u")
        recalled = b"](](" + event + b"(".join(b"h\x00" * 900 + b"e" for _ in range(300)) + b"e"
        self.bounded("trace", "info", self.write("keys", self.snapshot(b"]", recalled)), status=BAD_DATA)
        block = b"}(" + text(b"size") + number(1) + b"u"
        segment = b"}\x94(" + text(b"blocks") + b"](" + block * 20_000 + b"eu"
        one = b"](}(" + text(b"action") + text(b"alloc") + text(b"addr") + number(1) + text(b"size") + number(1) + b"ue"
        done = self.bounded("trace", "info", self.write("blocks", self.snapshot(
            b"](" + segment + b"(".join(b"h\x00" * 900 + b"e" for _ in range(1000)), b"](" + one + b"e")), status=BAD_DATA)
        self.assertIn(b"blocks", done.stderr)

    def test_addresses_that_meet_in_one_bucket(self):
        """Multiples of the numbers of buckets that the standard library's table has when it is about as large."""
        apart = 42043 * 85229
        rows = [f"0,0,allocate,{(i + 1) * apart:#x},1,0\n" for i in range(80_000)]
        rows += [f"0,0,free,{(i + 1) * apart:#x},1,0\n" for i in range(80_000)]
        done = self.info(rows)
        self.assertEqual(json.loads(done.stdout)[0]["frees"], 80_000)

    def test_sums_do_not_begin_again(self):
        done = self.info([f"0,0,allocate,{i:#x},{1 << 57},0\n" for i in (1, 2, 3)])
        self.assertEqual(done.returncode, BAD_DATA)
        self.assertIn(b"line 4: Size is ", done.stderr)
        rows = [f"0,0,allocate,0x1,{1 << 57},0\n", f"0,0,free,0x1,{1 << 57},0\n"] * 200
        info, = json.loads(self.info(rows).stdout)
        self.assertEqual(info["allocated_bytes"], (1 << 64) - 1)
        self.assertEqual(info["streams"][0]["bytes"], (1 << 64) - 1)
        self.assertEqual((info["peak_live_bytes"], info["never_freed_bytes"]), (1 << 57, 0))
        for time in ("9999999999999999999", "1:99999999999999999:0", "300000000000:0:0"):
            done = self.info([f"0,{time},allocate,0x1,1,0\n"])
            self.assertIn(b"line 2: Time is", done.stderr)

    def test_a_pipe_that_nobody_writes_to(self):
        path = self.path("pipe")
        os.mkfifo(path)
        for command in (("trace", "info"), ("replay",)):
            done = self.bounded(*command, path, status=BAD_DATA)
            self.assertIn(b"pipe: is a pipe that nobody has written to", done.stderr)

    def test_pipes_that_somebody_writes_to(self):
        row = HEADER + "0,0,allocate,0x1,8,0\n"
        path = self.path("pipe")
        os.mkfifo(path)
        with subprocess.Popen([GMLAKE, "trace", "info", "--json", path], stdout=subprocess.PIPE) as reader:
            with open(path, "w", encoding="ascii") as file:
                file.write(row)
            self.assertEqual(json.loads(reader.communicate(timeout=SECONDS)[0])[0]["events"], 1)
        plain = self.write("t.csv", row.encode())
        for line in (f'"$0" trace info --json <(sleep 1; cat {plain})', f'gzip -c {plain} | "$0" trace info --json -'):
            done = subprocess.run(["bash", "-c", line, GMLAKE], capture_output=True, timeout=SECONDS, check=True)
            self.assertEqual(json.loads(done.stdout)[0]["events"], 1)

    def test_a_device_that_the_log_does_not_tell(self):
        path = self.write("t.csv", (HEADER + "0,0,allocate,0x1,8,0\n").encode())
        for command in (("trace", "info"), ("replay",)):
            self.assertIn(b"no column 'Device'", self.bounded(*command, path, "--device", "3", status=BAD_DATA).stderr)
            self.bounded(*command, path, "--device", "0", status=0)

    def test_control_characters_are_shown_by_their_numbers(self):
        bad = "\x1b[2J\x9b1m"
        for rows in (f"0,0,{bad},0x1,8,0\n", f"0,0,allocate,{bad},8,0\n"):
            said = self.info([rows]).stderr.decode()
            self.assertNotRegex(said, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
            self.assertIn("\\x1b[2J", said)
        path = self.write(f"{bad}.csv", (HEADER + "0,0,allocate,0x1,8,0\n").encode())
        for command in (("trace", "info", path), ("replay", path), ("replay", path, "--lag", bad),
                        ("config", "show", "--config", path), ("report", path), ("run", "--config", path, "true")):
            done = self.bounded(*command)
            self.assertNotRegex((done.stdout + done.stderr).decode(), "[\x00-\x09\x0b-\x1f\x7f-\x9f]", command)


if __name__ == "__main__":
    unittest.main()
