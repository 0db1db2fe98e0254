"""Makes the virtual environment of the clients, once for each state of the requirements.

usage: install.py FOLDER
"""

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main():
    folder = Path(sys.argv[1])
    done = folder / "installed.txt"
    if done.exists() and done.read_text() == REQUIREMENTS.read_text():
        return
    done.unlink(missing_ok=True)
    venv.create(folder, clear=True, with_pip=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps",
                    "--disable-pip-version-check", "-r", REQUIREMENTS], check=True)
    done.write_text(REQUIREMENTS.read_text())


if __name__ == "__main__":
    main()
