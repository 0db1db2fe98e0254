"""Memory that is freed while captures are open comes back, and breaks none: tests/programs/memory_in_capture.cpp."""

import itertools

import harness

CAPTURES = ("non_blocking", "blocking", "per_thread", "two", "abandoned", "handed_over")
CALLS = ("free", "async")


class MemoryInCapture(harness.Case):
    def check(self, preload, calls=CALLS, ahead=("", "ahead")):
        settings = {"SIMCUDA_MEMORY": "2GiB", "SIMCUDA_BACKING": "none", "SIMCUDA_SEED": None, "GMLAKE_STATS_REPORT": "none"}
        env = harness.environment(preload=preload, **settings)
        for api, capture, call, far, mode, before, own in itertools.product(
                ("shared", "static"), CAPTURES, calls, ahead, ("", "relaxed"), ("", "before"), ("", "own")):
            if capture == "handed_over" and mode != "relaxed":
                continue  # only such a capture may be ended by another thread
            words = [word for word in (capture, call, far, mode, before, own) if word]
            with self.subTest(api=api, words=words):
                process = harness.run(harness.PROGRAMS / f"memory_in_capture_{api}", *words, env=env)
                self.assertEqual((process.returncode, process.stdout), (0, "failures 0\n"), process.stderr[-2000:])

    def test_natively(self):
        self.check(False)

    def test_cudaMalloc_and_cudaFree(self):
        self.check(True, ("free",), ("",))

    def test_cudaMalloc_and_cudaFree_ahead_of_the_gpu(self):
        self.check(True, ("free",), ("ahead",))

    def test_on_streams(self):
        self.check(True, ("async",), ("",))

    def test_on_streams_ahead_of_the_gpu(self):
        self.check(True, ("async",), ("ahead",))


if __name__ == "__main__":
    harness.main()
