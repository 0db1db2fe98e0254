"""Stand-ins for the C library's shared objects, to link against: what is linked with them runs with an older glibc.

    glibc_stub.py FLOOR COMPILER FOLDER    for example: glibc_stub.py 2.28 g++ build/glibc-2.28

Of each function of this machine's glibc they have the newest version that is no newer than FLOOR, and what came later
they do not have: whoever needs it fails to link. They are never loaded: their names are those of the real ones.
"""

import re
import subprocess
import sys
from pathlib import Path

# What moved into libc.so.6 with 2.34 is looked up there by its old version, as of every older program; but a glibc of
# before has it in these, which have to be named then.
MOVED = {"libdl.so": "libdl.so.2", "libpthread.so": "libpthread.so.0"}


def number(version):
    return tuple(map(int, version.split(".")))


def newest(libraries, floor):
    """By version: the symbols, each as (name, what it is, its size)."""
    best = {}
    for library in libraries:
        table = subprocess.run(["readelf", "--dyn-syms", "--wide", library], check=True, capture_output=True, text=True).stdout
        for line in table.splitlines():
            found = re.match(r"\s*\d+: \S+\s+(\S+) (FUNC|IFUNC|OBJECT|NOTYPE)\s+(GLOBAL|WEAK|UNIQUE)\s+DEFAULT\s+(\S+) "
                             r"([^@\s]+)@@?GLIBC_([0-9.]+)$", line)
            if not found or found[4] == "UND" or number(found[6]) > number(floor):
                continue
            kind = "object" if found[2] == "OBJECT" else "function"
            one = (number(found[6]), kind, int(found[1], 0))
            best[found[5]] = max(best.get(found[5], one), one)
    versions = {}
    for name, (version, kind, size) in sorted(best.items()):
        versions.setdefault(version, []).append((name, kind, size))
    return versions


def build(compiler, folder, file, soname, versions):
    source, script = folder / f"{file}.s", folder / f"{file}.map"
    lines = [".section .note.GNU-stack,\"\",%progbits"]
    for kind, section in (("function", ".text"), ("object", ".data")):
        lines.append(section)
        for name, its, size in (one for version in versions.values() for one in version):
            if its == kind:
                lines += [f".globl {name}", f".type {name},%{kind}", f".size {name},{size}", f"{name}:", f".zero {size if kind == 'object' else 1}"]
    source.write_text("\n".join(lines) + "\n")
    script.write_text("".join(
        f"GLIBC_{'.'.join(map(str, version))} {{ {' '.join(name + ';' for name, _, _ in symbols)} }};\n"
        for version, symbols in sorted(versions.items())))
    scripts = [f"-Wl,--version-script,{script}"] if versions else []
    subprocess.run([compiler, "-shared", "-nostdlib", f"-Wl,-soname,{soname}", *scripts, "-o", folder / file, source], check=True)


def main():
    floor, compiler, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)

    def real(name):
        path = subprocess.run([compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        return [path] if Path(path).is_absolute() else []

    loader = [path for name in ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1") for path in real(name)]
    build(compiler, folder, "libc.so", "libc.so.6", newest(real("libc.so.6") + loader, floor))
    build(compiler, folder, "libm.so", "libm.so.6", newest(real("libm.so.6"), floor))
    for file, soname in MOVED.items():
        build(compiler, folder, file, soname, newest(real(soname), floor))


main()
