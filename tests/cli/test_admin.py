"""What docs/admin.md tells administrators to install, as it stands there: the system's configuration and Slurm's task prolog."""
import json
import os
import re
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

from cli import SOURCE, environment, gmlake

PAGE = (Path(SOURCE) / "docs" / "admin.md").read_text()
LIBRARY = Path(os.environ["CLI_BUILD"]) / "lib" / "libgmlake.so"


def blocks(begins):
    """The page's indented blocks whose first line is this."""
    found = [textwrap.dedent(block) for block in re.findall(r"(?m)(?:^    .*\n)+", PAGE)]
    return [block for block in found if block.startswith(begins + "\n")]


class Admin(unittest.TestCase):
    def test_the_systems_configuration(self):
        (text,) = blocks("{")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "gmlake.json"
            file.write_text(text)
            checked = gmlake("config", "check", file)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
            shown = json.loads(gmlake("config", "show", "--json", GMLAKE_SYSTEM_CONFIG=str(file)).stdout)
        options = {name: section for name, section in json.loads(text).items() if not name.startswith("//")}
        self.assertEqual({name: {key: shown[name][key] for key in section} for name, section in options.items()}, options)

    def prolog(self, **settings):
        script, _ = blocks("#!/bin/sh")  # the other one is the epilog
        script, found = re.subn("library=/.*", f"library={LIBRARY}", script)
        self.assertEqual(found, 1)
        done = subprocess.run(["sh", "-c", script], env=environment(**settings), capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_the_task_prolog(self):
        expected = [f"export LD_PRELOAD={LIBRARY}", "export GMLAKE_POOL_MAX_SHARE=1.0"]
        self.assertEqual(self.prolog(SLURM_JOB_GPUS="0,1"), expected)
        self.assertEqual(self.prolog(SLURM_STEP_GPUS="0"), expected)
        self.assertEqual(self.prolog(SLURM_STEP_GPUS="0", LD_PRELOAD="libc.so.6", GMLAKE_POOL_MAX_SHARE="0.5"),
                         [f"export LD_PRELOAD={LIBRARY}:libc.so.6", "export GMLAKE_POOL_MAX_SHARE=0.5"])
        self.assertEqual(self.prolog(), [])

    def test_the_epilog_is_a_script(self):
        _, script = blocks("#!/bin/sh")
        self.assertEqual(subprocess.run(["sh", "-n"], input=script, text=True, timeout=60).returncode, 0)
        self.assertIn("gmlake report", script)


if __name__ == "__main__":
    unittest.main()
