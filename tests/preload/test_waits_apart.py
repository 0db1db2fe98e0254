"""While one thread waits for the GPU, others' calls that have nothing to do with it go on.

tests/programs/waits_apart.cpp holds up the GPU until they are through, so these runs are threaded.
"""

import harness

PROGRAM = harness.PROGRAMS / "waits_apart"
FULL = {"SIMCUDA_SEED": None, "SIMCUDA_MEMORY": "256MiB"}
ROOM = {"SIMCUDA_SEED": None, "SIMCUDA_MEMORY": "8GiB"}
SAID = "waited 1\nserved\n"


class Native(harness.Case):
    def test_all(self):
        for words in (("malloc", "unbounded"), ("async",), ("create", "unbounded"), ("evict", "unbounded")):
            with self.subTest(words=words):
                process = harness.run(PROGRAM, *words, env=harness.environment(preload=False, **FULL))
                self.assertEqual((process.returncode, process.stdout), (0, SAID), process.stderr)


if __name__ == "__main__":
    harness.main()
