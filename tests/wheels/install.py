"""Makes the virtual environment of the wheels, once for each state of what is installed.

usage: install.py FOLDER
"""

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
OLDER = Path(__file__).with_name("cuda_12.txt")  # in a folder of its own: FOLDER/cuda_12


def main():
    folder = Path(sys.argv[1])
    done = folder / "installed.txt"
    wanted = REQUIREMENTS.read_text() + OLDER.read_text()
    if done.exists() and done.read_text() == wanted:
        return
    done.unlink(missing_ok=True)
    venv.create(folder, clear=True, with_pip=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps",
           "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
    subprocess.run([*pip, "--target", folder / "cuda_12", "-r", OLDER], check=True)
    done.write_text(wanted)


if __name__ == "__main__":
    main()
