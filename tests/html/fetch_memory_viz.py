"""Takes PyTorch's reader of memory snapshots out of its wheel, once for each state of the requirements.

usage: fetch_memory_viz.py FOLDER
"""

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main():
    folder = Path(sys.argv[1])
    done = folder / "fetched.txt"
    if done.exists() and done.read_text() == REQUIREMENTS.read_text():
        return
    done.unlink(missing_ok=True)
    venv.create(folder / "venv", clear=True, with_pip=True)
    with tempfile.TemporaryDirectory(dir=folder) as wheels:
        subprocess.run([folder / "venv" / "bin" / "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--require-hashes", "--only-binary=:all:", "--platform", "macosx_11_0_arm64", "--python-version", "3.11",
                        "--implementation", "cp", "-r", REQUIREMENTS, "-d", wheels], check=True)
        (wheel,) = Path(wheels).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            (folder / "_memory_viz.py").write_bytes(packed.read("torch/cuda/_memory_viz.py"))
    done.write_text(REQUIREMENTS.read_text())


if __name__ == "__main__":
    main()
