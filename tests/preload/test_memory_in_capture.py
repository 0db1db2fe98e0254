"""Memory that is freed while captures are open comes back, and breaks none: tests/programs/memory_in_capture.cpp."""

import itertools

import harness

CAPTURES = ("non_blocking", "blocking", "per_thread", "two", "abandoned", "handed_over")
CALLS = ("free", "async")


class MemoryInCapture(harness.Case):
    def check(self, preload):
        settings = {"SIMCUDA_MEMORY": "2GiB", "SIMCUDA_BACKING": "none", "SIMCUDA_SEED": None, "GMLAKE_STATS_REPORT": "none"}
        env = harness.environment(preload=preload, **settings)
        for api, capture, call, far, mode, before, own in itertools.product(
                ("shared", "static"), CAPTURES, CALLS, ("", "ahead"), ("", "relaxed"), ("", "before"), ("", "own")):
            if capture == "handed_over" and mode != "relaxed":
                continue  # only such a capture may be ended by another thread
            words = [word for word in (capture, call, far, mode, before, own) if word]
            with self.subTest(api=api, words=words):
                process = harness.run(harness.PROGRAMS / f"memory_in_capture_{api}", *words, env=env)
                self.assertEqual((process.returncode, process.stdout), (0, "failures 0\n"), process.stderr[-2000:])

    def test_natively(self):
        self.check(False)


if __name__ == "__main__":
    harness.main()
