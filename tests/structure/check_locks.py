"""The locks as the compiler knows them: of each room of the pool, and of the hooks, one real source without one of its
locks no longer compiles. And where the analysis is switched off, which few places may do, it says why.

    check_locks.py CLANG++ COMPILE_COMMANDS
"""

import json
import os
import shlex
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILER, COMMANDS = sys.argv[1], Path(sys.argv[2])
SOURCE = Path(__file__).resolve().parents[2]
OFF = "GMLAKE_NO_THREAD_SAFETY_ANALYSIS"
MOST_OFF = 5

# Source, function, the line with its lock, the lock's name to the compiler.
ROOMS = {
    "books": ("src/pool/books.cpp", "void Books::open(", "const Opened books(mutex_);", "mutex_"),
    "front": ("src/pool/books.cpp", "Address Books::take(", "const Lock own(front.lock);", "front.lock"),
    "follower": ("src/pool/follower.cpp", "bool Follower::harvest(", "const Books::Opened books(books_.mutex());",
                 "books_.mutex_"),
    "supply": ("src/pool/supply.cpp", "Supply::begin(", "const Books::Opened books(books_.mutex());", "books_.mutex_"),
    "device pool": ("src/pool/device_pool.cpp", "Result<driver::Address> DevicePool::attempt(",
                    "const Growing growing(supply_.mutex());", "supply_.mutex_"),
    "fences": ("src/stream/fences.cpp", "bool Fences::due(", "const Lock lock(mutex_);", "mutex_"),
    "hooks": ("hooks/capture_door.cpp", "class Registry", "const Lock lock(mutex_);", "mutex_"),
}


def options_of(path, commands):
    """What the build finds that source's headers by: its own command's, or those of the group that it is compiled in."""
    source = SOURCE / path
    command = next(c["command"] for c in commands if Path(c["file"]) == source or (
        "Unity" in c["file"] and f'"{source}"' in Path(c["file"]).read_text()))
    words = iter(shlex.split(command))
    for word in words:
        if word == "-isystem":
            yield from (word, next(words))
        elif word.startswith(("-I", "-D", "-std=")):
            yield word


def complaints(path, text, commands):
    command = [COMPILER, "-fsyntax-only", "-Wthread-safety", "-Werror=thread-safety", *options_of(path, commands),
               "-x", "c++", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=SOURCE)
    found = [line for line in done.stderr.splitlines() if "error:" in line]
    return found or ([] if done.returncode == 0 else [done.stderr])


def without(path, function, line):
    """The source's text, less the first such line of the function."""
    text = (SOURCE / path).read_text()
    start = text.index(line, text.index(function))
    return text[:start] + text[start + len(line):]


def places_off():
    """Where the analysis is off, and whether a comment is beside it: in the line, or in one next to it and its like."""
    files = [p for top in ("src", "hooks") for p in sorted((SOURCE / top).rglob("*")) if p.suffix in {".h", ".cpp"}]
    for path in files:
        lines = path.read_text().splitlines() + [""]
        for number, line in enumerate(lines):
            if OFF not in line or path.name == "thread_safety.h":
                continue
            above = number - 1
            while OFF in lines[above]:
                above -= 1
            yield f"{path.relative_to(SOURCE)}:{number + 1}", any("//" in lines[i] for i in (above, number, number + 1))


class Locks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        commands = json.loads(COMMANDS.read_text())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            whole = {path: pool.submit(complaints, path, (SOURCE / path).read_text(), commands)
                     for path in {path for path, *_ in ROOMS.values()}}
            robbed = {room: pool.submit(complaints, path, without(path, function, line), commands)
                      for room, (path, function, line, _) in ROOMS.items()}
        cls.whole = {path: job.result() for path, job in whole.items()}
        cls.robbed = {room: job.result() for room, job in robbed.items()}

    def test_as_they_are_they_compile(self):
        for path, found in self.whole.items():
            self.assertEqual(found, [], path)

    def test_without_a_lock_they_do_not(self):
        for room, (*_, lock) in ROOMS.items():
            found = self.robbed[room]
            self.assertTrue(found, f"{room}: compiles without {lock}")
            self.assertTrue(all("-Wthread-safety" in line for line in found), f"{room}: {found}")
            self.assertTrue(any(f"holding mutex '{lock}'" in line for line in found), f"{room}: {found}")

    def test_the_analysis_is_hardly_ever_off(self):
        places = list(places_off())
        self.assertLessEqual(len(places), MOST_OFF, places)
        self.assertEqual([place for place, explained in places if not explained], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
