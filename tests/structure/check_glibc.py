"""What is shipped runs with old C libraries: it asks for no symbol version above the floor, and for no other library.

usage: check_glibc.py FLOOR FILE...
"""

import re
import subprocess
import sys

OF_THE_C_LIBRARY = re.compile(r"(libc|libm|libdl|libpthread|librt|ld-linux[\w-]*)\.so\.\d+|libcudart\.so\.\d+|libcuda\.so\.1")


def problems(floor, file):
    table = subprocess.run(["readelf", "--dyn-syms", "--dynamic", "--version-info", "--wide", file], check=True,
                           capture_output=True, text=True).stdout
    for name, version in sorted(set(re.findall(r" UND (\S+?)@GLIBC_([0-9.]+)", table))):
        if tuple(map(int, version.split("."))) > floor:
            yield f"{name} is asked for in version GLIBC_{version}"
    # GLIBC_ABI_DT_RELR and others that only a new loader knows
    for version in sorted(set(re.findall(r"Name: (GLIBC_[A-Z]\w*)", table))):
        yield f"asks for {version}"
    for library in re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", table):
        if not OF_THE_C_LIBRARY.fullmatch(library):
            yield f"needs {library}"
    if " UND " not in table:
        yield "has no dynamic symbols"


def main():
    floor = tuple(map(int, sys.argv[1].split(".")))
    found = [f"{file}: {problem}" for file in sys.argv[2:] for problem in problems(floor, file)]
    print(*found, sep="\n")
    sys.exit(1 if found or len(sys.argv) < 3 else 0)


main()
