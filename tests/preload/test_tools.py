"""What else may be in the process: NVIDIA's tools (a memory checker is left to native memory, the others are served), and
another copy of the library itself."""

import json
import shutil

import harness

PROGRAM = harness.PROGRAMS / "misuse_driver"


class Tools(harness.Case):
    def run_beside(self, **settings):
        """What the library says, and whether it served the program."""
        device = self.folder / "device.json"
        process = harness.run(PROGRAM, env=harness.environment(
            GMLAKE_STATS_REPORT="none", SIMCUDA_LOG=f"stats:{device}", **settings))
        self.assertEqual(process.returncode, 0, process.stderr)
        said = [line for line in process.stderr.splitlines() if "gmlake" in line and "out of memory" not in line]
        return said, "cuMemCreate" in json.loads(device.read_text())["calls"]

    def test_compute_sanitizer(self):
        for settings in ({"CUDA_INJECTION64_PATH": "/opt/cuda/compute-sanitizer/libsanitizer-collection.so"},
                         {"CUDA_INJECTION64_PATH": "libsanitizer-collection.so.13"},
                         {"CUDA_INJECTION64_PATH": "/home/me/lib/libsanitizer-public.so"},
                         {"NV_SANITIZER_INJECTION_PORT_BASE": "49152"},
                         {"NV_SANITIZER_INJECTION_PORT_RANGE_BEGIN": "49152"}):
            with self.subTest(**settings):
                said, served = self.run_beside(**settings)
                self.assertFalse(served)
                self.assertEqual(len(said), 1, said)
                self.assertIn("compute-sanitizer checks misuse_driver", said[0])
                self.assertIn("processes.tools", said[0])

    def test_served_all_the_same(self):
        said, served = self.run_beside(CUDA_INJECTION64_PATH="libsanitizer-collection.so", GMLAKE_PROCESSES_TOOLS="serve")
        self.assertEqual((said, served), ([], True))

    def test_others_by_the_same_variable(self):
        for settings in ({"CUDA_INJECTION64_PATH": "/opt/nvidia/nsight-systems/libToolsInjection64.so"},
                         {"CUDA_INJECTION64_PATH": "/opt/sanitizer-collection/libtrace.so"},
                         {"CUDA_INJECTION64_PATH": ""},
                         # left by a tool around this one
                         {"CUDA_INJECTION64_PATH": "libmytrace.so", "NV_SANITIZER_INJECTION_PORT_BASE": "49152"},
                         {"NVTX_INJECTION64_PATH": "/opt/nvidia/nsight-systems/libToolsInjection64.so"}):
            with self.subTest(**settings):
                said, served = self.run_beside(**settings)
                self.assertEqual((said, served), ([], True))

    def test_another_copy_of_the_library(self):
        copy = shutil.copy(harness.LIBRARY, self.folder)
        for order in ((harness.LIBRARY, copy), (copy, harness.LIBRARY)):
            with self.subTest(order=order):
                said, served = self.run_beside(LD_PRELOAD=" ".join([*harness.PRELOAD_FIRST, *map(str, order)]))
                self.assertTrue(served)
                self.assertEqual(len(said), 1, said)
                self.assertRegex(said[0], "another copy of gmlake in this process, /.*libgmlake.so")

    def test_a_process_left_alone_is_not_spoken_of(self):
        said, served = self.run_beside(CUDA_INJECTION64_PATH="libsanitizer-collection.so",
                                       GMLAKE_PROCESSES_EXCLUDE="misuse_*")
        self.assertEqual((said, served), ([], False))


if __name__ == "__main__":
    harness.main()
