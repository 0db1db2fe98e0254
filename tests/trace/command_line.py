"""Running gmlake as a user does, for the scripts beside this one. GMLAKE names the executable."""

import json
import os
import subprocess
import tempfile
import unittest

GMLAKE = os.environ["GMLAKE"]


class CommandLine(unittest.TestCase):
    """Each test has a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gmlake-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_gmlake(self, *args, status=0, **environment):
        keep = {k: v for k, v in os.environ.items()
                if k == "SIMCUDA_SEED" or not k.startswith(("GMLAKE_", "SIMCUDA_"))}
        done = subprocess.run([GMLAKE, *args], capture_output=True, check=False, timeout=120,
                              env={**keep, **environment})
        self.assertEqual(done.returncode, status, done.stderr.decode(errors="replace"))
        return done

    def json_of(self, *args, **kwargs):
        return json.loads(self.run_gmlake(*args, "--json", **kwargs).stdout)

    def generate(self, name, *args):
        path = self.path(name)
        self.run_gmlake("trace", "generate", "--model", "tiny", "--sequence", "128", "--batch", "2",
                        *args, "--output", path)
        return path
