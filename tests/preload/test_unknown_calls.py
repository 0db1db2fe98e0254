"""Driver functions that are newer than most programs, and some that no version of the library can know: what they do
is not lost to it, and who only looks them up loses nothing."""

import re
import harness

PROGRAM = harness.PROGRAMS / "unknown_calls"
SEEDS = range(60)
# step: base name and version, and symbol; in the hook table, and of no CUDA.
KNOWN = {
    "recapture": ("cuStreamBeginRecaptureToGraph", 13030, "cuStreamBeginRecaptureToGraph"),
    "record_node": ("cuGraphAddNode", 13040, "cuGraphAddNode_v3"),
    "record_green": ("cuGreenCtxRecordEvent", 12040, "cuGreenCtxRecordEvent"),
    "record_launch": ("cuLaunchKernelEx", 11060, "cuLaunchKernelEx"),
}
UNKNOWN = {
    "capture": ("cuStreamBeginNextCapture", 13990, "cuStreamBeginNextCapture"),
    "record_node": ("cuGraphAddNode", 13990, "cuGraphAddNode_v99"),
    "record": ("cuEventRecordNext", 13990, "cuEventRecordNext"),
    "destroy": ("cuCtxDestroyNext", 13990, "cuCtxDestroyNext"),
    "arguments": ("cuStreamCaptureOfManyNext", 13990, "cuStreamCaptureOfManyNext"),
}


def command(how, step, function):
    base, version, symbol = function
    return [PROGRAM, how, step, symbol if how == "dlsym" else base, version]


class UnknownCalls(harness.Case):
    def right(self, step, function, seeds):
        """The output is as natively, nothing is found, and the pool serves. Returns what was said on stderr."""
        natively = harness.environment(preload=False, SIMCUDA_DEVICES=2)
        native = harness.run(*command("getproc", step, function), env=natively)
        self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
        said = set()
        for seed in seeds:
            with self.subTest(step=step, seed=seed):
                how = ("getproc", "dlsym")[seed % 2]
                process, report = self.served(*command(how, step, function), SIMCUDA_SEED=seed, SIMCUDA_DEVICES=2)
                self.assertEqual(process.stdout, native.stdout)
                if step != "arguments":
                    self.assertGreater(report["allocations"], 0)
                said.add(re.sub(r"^.*?gmlake: ", "", process.stderr))
        return said

    def test_newer_ones(self):
        for step, function in KNOWN.items():
            self.assertEqual(self.right(step, function, SEEDS), {""})

    # Once, by name, when it is called.
    def test_those_of_no_cuda(self):
        for step, function in UNKNOWN.items():
            for said in self.right(step, function, SEEDS):
                self.assertEqual(said.count("\n"), 1, said)
                self.assertRegex(said, rf"{function[0]}(_v99)? is called, which this version does not know: ")

    def test_a_lookup_is_no_call(self):
        for function in UNKNOWN.values():
            for how in ("getproc", "dlsym"):
                process = harness.run(*command(how, "lookup", function), env=harness.environment())
                self.assertEqual((process.returncode, process.stdout), (0, "found\n"))
                self.assertNotIn("does not know", process.stderr)

    def test_the_door_is_shut(self):
        for how in ("getproc", "dlsym"):
            process = harness.run(*command(how, "capture", UNKNOWN["capture"]), env=harness.environment(GMLAKE_DISABLE=1))
            self.assertEqual((process.returncode, process.stdout, process.stderr), (0, "3 nodes, 11\n", ""))


if __name__ == "__main__":
    harness.main()
