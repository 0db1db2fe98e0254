"""Frames of a program are left by exceptions, pthread_exit and cancellation as natively: tests/programs/unwinding.cpp."""

import harness


class Unwinding(harness.Case):
    def check(self, how):
        for client in ("shared", "static"):
            with self.subTest(client=client):
                command = [harness.PROGRAMS / f"unwinding_{client}", how]
                native = harness.run(*command, env=harness.environment(preload=False, SIMCUDA_SEED=None))
                self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
                process, report = self.served(*command, SIMCUDA_SEED=None, GMLAKE_LOG_LEVEL="error")
                self.assertEqual((process.stdout, process.stderr), (native.stdout, native.stderr))
                self.assertEqual((report["live_blocks"], report["native_allocations"]), (0, 0))
                self.assertGreater(report["allocations"], 20)

    def test_exceptions(self):
        self.check("throw")

    def test_pthread_exit(self):
        self.check("exit")

    def test_cancellation(self):
        self.check("cancel")


if __name__ == "__main__":
    harness.main()
