"""Runs the built gmlake for the tests beside this file; its place comes from the environment."""
import os
import subprocess

GMLAKE = os.environ["GMLAKE_CLI"]
PROBE = os.environ["CLI_PROBE"]
STATIC = os.environ["CLI_STATIC"]
SOURCE = os.environ["CLI_SOURCE"]


def environment(**changes):
    """The test's own environment without anything that gmlake or the loader would heed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GMLAKE_") and name != "LD_PRELOAD"
    }
    kept.update(changes)
    return kept


def gmlake(*arguments, cwd=None, **changes):
    """gmlake's finished process, with its output as text."""
    return subprocess.run(
        [GMLAKE, *arguments], env=environment(**changes), cwd=cwd, capture_output=True, text=True, timeout=60
    )
