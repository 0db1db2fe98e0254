"""Calls inside host functions get the native answer: tests/programs/calls_in_callbacks.cpp."""

import harness


class CallsInCallbacks(harness.Case):
    def output(self, api, preload):
        env = harness.environment(preload=preload, GMLAKE_STATS_REPORT="none")
        process = harness.run(harness.PROGRAMS / f"calls_in_callbacks_{api}", env=env)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def test_natively(self):
        for api in ("shared", "static"):
            with self.subTest(api=api):
                said = self.output(api, preload=False)
                self.assertEqual(said.count("cudaErrorNotPermitted"), 2 * 11)
                self.assertTrue(said.endswith("cudaFree(kept): cudaSuccess\n"), said)

    def test_the_same_answers(self):
        for api in ("shared", "static"):
            with self.subTest(api=api):
                # The function and its caller speak at once.
                self.assertEqual(sorted(self.output(api, preload=True).splitlines()),
                                 sorted(self.output(api, preload=False).splitlines()))


if __name__ == "__main__":
    harness.main()
