"""For the tests beside it: the build as it is installed, and the commands by which it is looked at."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "preload"))
import harness

CXX = os.environ["GMLAKE_CXX"]
HERE = Path(__file__).resolve().parent


def install(prefix):
    succeed("cmake", "--install", harness.BUILD, "--prefix", prefix, "--component", "user")


def succeed(*command, **how):
    """The output of a command that must end well."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=280, **how)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
