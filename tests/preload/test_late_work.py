"""Nobody waits for work that was given after the free: it may end only when the program goes on.

tests/programs/late_work.cpp says what its words mean. Its host functions wait for the program, so these runs are threaded.
"""

import itertools
import os
import random
from concurrent.futures import ThreadPoolExecutor

import harness

FREED = ("free", "free_by_thread", "async", "legacy", "per_thread", "elsewhere", "recorded", "free_of_async")
LATER = ("same", "other", "blocking", "legacy", "per_thread")
WANTED = ("malloc", "async", "create")
MORE = ("many", "busy", "fresh")


def right(freed, wanted, more):
    """Whether the program is one that natively ends.

    What a stream freed stays in the driver's pool, so that cudaMalloc and cuMemCreate have it only once the host has
    waited for something (a fresh stream here) and the work is over. And cudaFree of a stream's block takes the work on
    it to be over.
    """
    if freed == "free_of_async":
        return wanted == "async" and "busy" not in more
    return freed.startswith("free") or wanted == "async" or ("fresh" in more and "busy" not in more)


def variants(freed=FREED, later=LATER, wanted=WANTED, more=MORE):
    chosen = [words for n in range(len(more) + 1) for words in itertools.combinations(more, n)]
    return [(f, l, w, *m) for f, l, w, m in itertools.product(freed, later, wanted, chosen) if right(f, w, m)]


SEED = int(os.environ.get("GMLAKE_TEST_SEED", random.randrange(1 << 32)))
SHARE = 8 if harness.PRELOAD_FIRST else 1  # a process takes seconds to begin under a sanitizer: each run tries others


class LateWork(harness.Case):
    def check(self, programs, preload, api="shared", **settings):
        if SHARE > 1:
            programs = random.Random(SEED).sample(programs, -(-len(programs) // SHARE))
            print(f"GMLAKE_TEST_SEED={SEED}: {len(programs)} programs")
        settings = {"SIMCUDA_MEMORY": "64MiB", "SIMCUDA_SEED": None, "GMLAKE_STATS_REPORT": "none", **settings}
        env = harness.environment(preload=preload, **settings)

        def go(words):
            process = harness.run(harness.PROGRAMS / f"late_work_{api}", *words, env=env)
            if process.returncode == 0 and process.stdout == "served\n":
                return None
            return f"{' '.join(words)}: {process.returncode} {process.stdout}{process.stderr[-300:]}"

        with ThreadPoolExecutor(2 * os.cpu_count()) as pool:  # they mostly sleep
            wrong = [said for said in pool.map(go, programs) if said]
        self.assertEqual(wrong, [], f"{len(wrong)} of {len(programs)}")


class Native(LateWork):
    def test_all(self):
        self.check(variants(), preload=False)

    def test_static(self):
        self.check(variants(more=()), preload=False, api="static")


class Served(LateWork):
    def test_all(self):
        self.check(variants(), preload=True)

    def test_static(self):
        self.check(variants(more=()), preload=True, api="static")

    # There is room, but the pool would outgrow what the program holds.
    def test_limit_on_pending_frees(self):
        programs = variants(freed=("free", "free_by_thread"), wanted=("malloc",))
        self.check(programs, preload=True, SIMCUDA_MEMORY="8GiB", GMLAKE_STREAMS_PENDING_BYTES="0")

    # Of work from before the free, not the asking stream.
    def test_the_host_waits(self):
        self.check(variants(wanted=("async",)), preload=True, GMLAKE_STREAMS_INSERT_WAITS="false")

    # What the program gives its streams is not seen.
    def test_without_the_driver_door(self):
        programs = variants(freed=("free", "async", "elsewhere"), wanted=("malloc", "async"))
        self.check(programs, preload=True, GMLAKE_HOOKS_DRIVER="false")


if __name__ == "__main__":
    harness.main()
