"""Makes a virtual environment, once for each state of its requirements: those of the clients, or others.

usage: install.py FOLDER [REQUIREMENTS [BESIDE]]

What BESIDE requires goes into a folder of its own, called like that file: FOLDER/cuda_12 of cuda_12.txt.
"""

import subprocess
import sys
import venv
from pathlib import Path


def main():
    folder, *files = map(Path, sys.argv[1:])
    requirements = files or [Path(__file__).with_name("requirements.txt")]
    wanted = "".join(file.read_text() for file in requirements)
    done = folder / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return
    done.unlink(missing_ok=True)
    venv.create(folder, clear=True, with_pip=True)
    for file, where in zip(requirements, ([], ["--target", folder / requirements[-1].stem])):
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps",
                        "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check", *where, "-r", file], check=True)
    done.write_text(wanted)


if __name__ == "__main__":
    main()
