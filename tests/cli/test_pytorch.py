"""`gmlake run --pytorch`: which torch it finds, what it sets, and what it says. With folders as pip leaves them; no torch."""
import json
import os
import sys
import tempfile
import unittest
import venv

from cli import PROBE, gmlake

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
BACKEND = "backend:cudaMallocAsync"


class Pytorch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = os.path.join(folder.name, "a b")  # venv and pip can have one
        venv.create(os.path.join(cls.folder, "venv"), with_pip=False, symlinks=True)
        cls.bin = os.path.join(cls.folder, "venv", "bin")
        cls.python = os.path.join(cls.bin, "python")
        cls.packages = os.path.join(cls.folder, "venv", "lib", f"python3.{sys.version_info[1]}", "site-packages")

    def torch(self, version):
        """As if that were installed, until the test ends."""
        info = os.path.join(self.packages, f"torch-{version}.dist-info")
        os.mkdir(info)
        self.addCleanup(os.rmdir, info)
        metadata = os.path.join(info, "METADATA")
        with open(metadata, "w", encoding="utf-8") as file:
            file.write(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        self.addCleanup(os.unlink, metadata)

    def script(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def run_it(self, *command, **changes):
        changes = {"GMLAKE_LIBRARY": PROBE, "PATH": f"{self.bin}:{os.environ['PATH']}", **changes}
        return gmlake("run", "--pytorch", "--exec", "--", *command, **changes)

    def seen(self, *command, **changes):
        """The value the program sees, and the one line that is said."""
        done = self.run_it(*command, **changes)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("gmlake: run: "))
        environment = json.loads(done.stdout)
        self.assertEqual(environment["GMLAKE_TEST_PROBE"], "loaded")
        return environment["PYTORCH_CUDA_ALLOC_CONF"], lines[0].removeprefix("gmlake: run: ")

    def refused(self, *command, **changes):
        done = self.run_it(*command, **changes)
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        return done.stderr

    def test_the_torch_of_the_interpreter(self):
        self.torch("2.11.0+cu130")
        value, said = self.seen(self.python, "-c", SHOW)
        self.assertEqual(value, BACKEND)
        self.assertEqual(said, f"torch 2.11.0+cu130 of {self.python}: PYTORCH_CUDA_ALLOC_CONF={BACKEND}")

    def test_it_is_not_imported(self):
        self.torch("2.15.1")
        module = os.path.join(self.packages, "torch.py")
        with open(module, "w", encoding="utf-8") as file:
            file.write("raise SystemExit('imported')")
        self.addCleanup(os.unlink, module)
        self.assertTrue(self.seen("python", "-c", SHOW)[1].startswith("torch 2.15.1 of "))

    def test_not_what_lies_in_the_current_folder(self):
        self.torch("2.11.0")
        with tempfile.TemporaryDirectory() as here:
            with open(os.path.join(here, "importlib.py"), "w", encoding="utf-8") as file:
                file.write("raise SystemExit('the wrong one')")
            done = gmlake("run", "--pytorch", "--dry-run", "--", self.python, "-c", SHOW, cwd=here, GMLAKE_LIBRARY=PROBE)
            self.assertIn("torch 2.11.0 of", done.stderr)
            self.assertIn(f"PYTORCH_CUDA_ALLOC_CONF={BACKEND}", done.stdout)

    def test_programs_that_start_python(self):
        self.torch("2.11.0")
        body = f"{SHOW}\n"
        for name, first in (("torchrun", f"#!/bin/sh\n'''exec' \"{self.python}\" \"$0\" \"$@\"\n' '''\n"),
                            ("accelerate", "#!/usr/bin/env python\n")):
            with self.subTest(name=name):
                script = self.script(name, first + body)
                for command in ([script], [name], ["env", name], ["env", "-u", "NOTHING", script], ["nice", name, "train.py"]):
                    self.assertRegex(self.seen(*command)[1], r"^torch 2\.11\.0 of .*/bin/python: ")

    def test_what_can_not_be_asked(self):
        """Which Python a shell will start is its own matter: the environment does what there is to do."""
        value, said = self.seen("sh", "-c", f"exec '{self.python}' -c '{SHOW}'")
        self.assertEqual(value, BACKEND)
        self.assertTrue(said.startswith("sh does not tell which Python it starts, assumed torch 1.12 or newer: "), said)

    def test_a_python_that_does_not_answer(self):
        silent = self.script("python9", "#!/bin/sh\n[ \"$1\" != -c ] || exit 1\nenv >/dev/null\nexec " + f"'{self.python}' -c '{SHOW}'\n")
        value, said = self.seen(silent)
        self.assertEqual(value, BACKEND)
        self.assertTrue(said.startswith(f"{silent} did not say which torch it has, assumed 1.12 or newer: "), said)

    def test_refusals(self):
        self.assertIn(f"--pytorch: no torch is installed for {self.python}; activate the environment that has it",
                      self.refused(self.python, "-c", SHOW))
        for version, reason in (("2.11.0+cpu", "is not built for CUDA"), ("2.9.1+rocm6.4", "is not built for CUDA"),
                                ("1.11.0", "has no backend cudaMallocAsync (1.12 and newer have)")):
            with self.subTest(version=version):
                self.torch(version)
                self.assertIn(f"torch {version} of {self.python} {reason}", self.refused(self.python, "-c", SHOW))
                self.doCleanups()
        self.torch("1.12.0")
        self.assertEqual(self.seen(self.python, "-c", SHOW)[0], BACKEND)

    def test_what_the_user_had_set(self):
        self.torch("2.11.0")
        cuda, general = "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"
        cases = [
            ({cuda: BACKEND}, BACKEND, ""),
            ({cuda: ""}, BACKEND, ""),
            ({cuda: "expandable_segments:True"}, BACKEND, f"; dropped expandable_segments:True of {cuda}, which excludes that backend"),
            ({cuda: "backend:native"}, BACKEND, f"; dropped backend:native of {cuda}, which excludes that backend"),
            ({cuda: "max_split_size_mb:128, roundup_power2_divisions:[256:1,512:2,>:8],backend:native"},
             f"{BACKEND},max_split_size_mb:128,roundup_power2_divisions:[256:1,512:2,>:8]",
             f"; dropped backend:native of {cuda}, which excludes that backend; kept max_split_size_mb:128,"
             f"roundup_power2_divisions:[256:1,512:2,>:8] of {cuda}"),
            # The other name counts while this one is not set at all.
            ({general: "expandable_segments:True,pinned_use_background_threads:True"}, f"{BACKEND},pinned_use_background_threads:True",
             f"; dropped expandable_segments:True of {general}, which excludes that backend; kept pinned_use_background_threads:True of {general}"),
            ({cuda: "", general: "max_split_size_mb:64"}, BACKEND, f"; {general} was not in force, as {cuda} was set, and is not now"),
            ({cuda: "garbage_collection_threshold:0.8", general: "max_split_size_mb:64"}, f"{BACKEND},garbage_collection_threshold:0.8",
             f"; kept garbage_collection_threshold:0.8 of {cuda}; {general} was not in force, as {cuda} was set, and is not now"),
        ]
        for before, after, more in cases:
            with self.subTest(before=before):
                value, said = self.seen(self.python, "-c", SHOW, **before)
                self.assertEqual(value, after)
                self.assertEqual(said, f"torch 2.11.0 of {self.python}: {cuda}={after}{more}")

    def test_nothing_is_said_or_set_without_it(self):
        done = gmlake("run", "--dry-run", "--", self.python, "x.py", GMLAKE_LIBRARY=PROBE)
        self.assertEqual(done.stderr, "")
        self.assertNotIn("PYTORCH", done.stdout)


if __name__ == "__main__":
    unittest.main()
