"""What `cmake --install` puts somewhere works from there: the command finds its library and its simulated device."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import cli


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = Path(cls.folder.name)
        subprocess.run(["cmake", "--install", os.environ["CLI_BUILD"], "--prefix", cls.prefix],
                       check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def gmlake(self, *arguments):
        return subprocess.run([self.prefix / "bin" / "gmlake", *arguments], env=cli.environment(),
                              capture_output=True, text=True, timeout=60)

    def test_everything_is_where_its_users_look(self):
        for name in ("bin/gmlake", "lib/libgmlake.so", "lib/simcuda/libcuda.so.1", "include/gmlake.h",
                     "share/gmlake/gmlake.schema.json", "share/gmlake/default.json", "share/doc/gmlake/configuration.md"):
            self.assertTrue((self.prefix / name).is_file(), name)

    def test_run_finds_the_library(self):
        done = self.gmlake("run", "--dry-run", "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(self.prefix / "lib" / "libgmlake.so"), done.stdout)

    def test_replay_finds_the_simulated_device(self):
        trace = self.prefix / "trace.csv"
        made = self.gmlake("trace", "generate", "--model", "tiny", "--iterations", "1", "--output", str(trace))
        self.assertEqual(made.returncode, 0, made.stderr)
        done = self.gmlake("replay", str(trace))
        self.assertEqual(done.returncode, 0, done.stderr)


class Uninstalled(unittest.TestCase):
    def test_nothing_of_ours_is_left_and_all_else_is(self):
        """With the file in which cmake --install notes what it wrote; the build has one only, which others use."""
        with tempfile.TemporaryDirectory() as folder:
            prefix = Path(folder) / "prefix"
            mine = [prefix / name for name in ("bin/gmlake", "lib64/libgmlake.so", "lib64/simcuda/libcuda.so.1", "include/gmlake.h",
                                               "share/doc/gmlake/a.md", "share/gmlake/default.json")]
            for file in [*mine, prefix / "include" / "other.h"]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("")
            manifest = Path(folder) / "install_manifest.txt"
            manifest.write_text("\n".join(map(str, mine)))
            command = ["cmake", f"-DMANIFEST={manifest}", "-P", Path(os.environ["CLI_SOURCE"]) / "cmake" / "Uninstall.cmake"]
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*")), ["include", "include/other.h"])
            again = subprocess.run(command, capture_output=True, text=True)
            self.assertNotEqual(again.returncode, 0)
            self.assertIn("nothing was installed", again.stderr)
            for file in mine:  # nothing else is below the prefix, which stays
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("")
            (prefix / "include" / "other.h").unlink()
            manifest.write_text("\n".join(map(str, mine)))
            subprocess.run(command, check=True, capture_output=True)
            self.assertEqual(list(prefix.rglob("*")), [])
            self.assertTrue(prefix.is_dir())


if __name__ == "__main__":
    unittest.main()
