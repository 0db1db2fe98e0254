"""Makes the wheel `gmlake` of a build: the Python modules, the library, the command, the pages, the licences. With Python alone, no network.

    build_wheel.py --build build/release --version 0.1.0 --glibc 2.28 --output build/release/dist

The same build gives the same bytes. The tag says Python 3 of any kind, since nothing in it is linked with Python, and the
C library that the build was linked for (empty: this machine's, for this machine only).
"""

import argparse
import base64
import hashlib
import platform
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
NAME = "gmlake"
# In the package: where from, below the build; and whether the symbols that only debuggers want are taken off.
BINARIES = {
    "bin/gmlake": "bin/gmlake",
    "lib/libgmlake.so": "lib/libgmlake.so",
    "lib/libgmlake_torch.so": "lib/libgmlake_torch.so",
    "lib/simcuda/libcuda.so.1": "lib/simcuda/libcuda.so.1",  # the command replays traces on it
}
LICENCES = {"LICENSE": SOURCE.parent / "LICENSE", "THIRD-PARTY.md": SOURCE.parent / "packaging" / "THIRD-PARTY.md"}
EARLIEST = (1980, 1, 1, 0, 0, 0)

METADATA = """Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: GPU memory pool that stitches, in front of unmodified CUDA programs
License-Expression: Apache-2.0
{licences}Classifier: Environment :: GPU :: NVIDIA CUDA
Classifier: Operating System :: POSIX :: Linux
Requires-Python: >=3.9
Description-Content-Type: text/markdown

A CUDA program stops with "out of memory" while much of the GPU is free, but in pieces none of which is large enough. gmlake
maps such pieces side by side.

    gmlake run --pytorch -- python train.py

or, in the program, before anything uses CUDA:

    import gmlake.torch
    gmlake.torch.enable()

The pages that its messages name are in the package: `python -c "import gmlake; print(gmlake.__path__[0] + '/docs')"`. Begin with
out-of-memory.md and pytorch.md.
"""


def stripped(path):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copy(path, copy)
        subprocess.run(["strip", "--strip-unneeded", copy], check=True)
        return copy.read_bytes()


def tag_for(glibc):
    machine = platform.machine()
    return f"py3-none-manylinux_{glibc.replace('.', '_')}_{machine}" if glibc else f"py3-none-linux_{machine}"


def contents(build, version, tag):
    """What is in it: by name, the bytes and whether it may be run."""
    files = {f"{NAME}/{path.name}": (path.read_bytes(), False) for path in sorted((SOURCE / NAME).glob("*.py"))}
    files |= {f"{NAME}/docs/{path.name}": (path.read_bytes(), False) for path in sorted((SOURCE.parent / "docs").glob("*.md"))}
    files[f"{NAME}/_version.py"] = (f'"""Written when the wheel is made."""\n\nversion = "{version}"\n'.encode(), False)
    for name, origin in BINARIES.items():
        files[f"{NAME}/{name}"] = (stripped(build / origin), True)
    info = f"{NAME}-{version}.dist-info"
    for name, path in LICENCES.items():
        files[f"{info}/licenses/{name}"] = (path.read_bytes(), False)
    licences = "".join(f"License-File: {name}\n" for name in LICENCES)
    files[f"{info}/METADATA"] = (METADATA.format(name=NAME, version=version, licences=licences).encode(), False)
    files[f"{info}/WHEEL"] = (f"Wheel-Version: 1.0\nGenerator: gmlake\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(), False)
    files[f"{info}/entry_points.txt"] = (f"[console_scripts]\ngmlake = {NAME}.__main__:main\n".encode(), False)
    record = "".join(f"{name},sha256={digest(text)},{len(text)}\n" for name, (text, _) in files.items())
    files[f"{info}/RECORD"] = (f"{record}{info}/RECORD,,\n".encode(), False)
    return files


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--glibc", required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    tag = tag_for(options.glibc)
    wheel = options.output / f"{NAME}-{options.version}-{tag}.whl"
    options.output.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (text, runs) in contents(options.build, options.version, tag).items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            archive.writestr(entry, text)
    print(wheel)


if __name__ == "__main__":
    main()
