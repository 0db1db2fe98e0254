"""Makes a virtual environment, once for each state of its requirements: those of the clients, or others.

usage: install.py FOLDER [REQUIREMENTS]
"""

import subprocess
import sys
import venv
from pathlib import Path


def main():
    folder = Path(sys.argv[1])
    requirements = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("requirements.txt")
    done = folder / "installed.txt"
    if done.exists() and done.read_text() == requirements.read_text():
        return
    done.unlink(missing_ok=True)
    venv.create(folder, clear=True, with_pip=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps",
                    "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check", "-r", requirements], check=True)
    done.write_text(requirements.read_text())


if __name__ == "__main__":
    main()
