"""The Python package of a build, for programs that are to import gmlake where nothing can be installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def wheel(build, folder):
    """Made of what is built now, whatever wheel lies in the build."""
    version = subprocess.run([Path(build) / "bin" / "gmlake", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]
    return subprocess.run([sys.executable, SOURCE / "python" / "build_wheel.py", "--build", build, "--version", version, "--glibc", "",
                           "--output", folder], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def python_path(file, folder):
    """What PYTHONPATH is to be: the wheel, unpacked, before what is there."""
    package = Path(folder) / "package"
    with zipfile.ZipFile(file) as archive:
        archive.extractall(package)
    return os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
