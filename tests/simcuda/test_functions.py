"""A line of functions.def that does not fit cuda.h and cudaTypedefs.h ends the build.

    test_functions.py GENERATOR COMPILER CUDA_INCLUDE FUNCTIONS_DEF NEWER_DEF
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GENERATOR, COMPILER, INCLUDE, FUNCTIONS, NEWER = sys.argv[1:6]


class Functions(unittest.TestCase):
    def generate(self, more):
        with tempfile.TemporaryDirectory() as folder:
            functions = Path(folder, "functions.def")
            functions.write_text(Path(FUNCTIONS).read_text() + more + "\n")
            done = subprocess.run([sys.executable, GENERATOR, COMPILER, INCLUDE, functions, NEWER,
                                   folder],
                                  capture_output=True, text=True)
            written = Path(folder, "all_functions.def")
            return done, written.read_text() if written.exists() else ""

    def test_every_function_has_one_line(self):
        done, lines = self.generate("")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(lines.count("F(cuTexRefCreate, cuTexRefCreate, 2000, any)"), 1)
        self.assertEqual(lines.count("F(cuMemAlloc_v2, cuMemAlloc, 3020, any)"), 1)

    def test_lines_that_do_not_fit(self):
        for line, complaint in [
                ("F(cuTexRefCreate, cuTexRefCreate, 2010, any)", "version=2010"),
                ("F(cuTexRefCreate, cuTexRef, 2000, any)", "base='cuTexRef'"),
                ("F(cuTexRefMake, cuTexRefMake, 2000, any)", "cuTexRefMake"),
                ("S(cuTexRefCreate, cuTexRefCreate, 2000)", "cuTexRefCreate_ptsz"),
                ("F(cuMemAlloc_v2, cuMemAlloc, 3020, any)", "twice")]:
            with self.subTest(line):
                done, lines = self.generate(line)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(complaint, done.stderr)
                self.assertEqual(lines, "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
