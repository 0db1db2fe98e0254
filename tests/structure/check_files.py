"""Every file of the project is in order: formatted, opened by a comment that says what it is for, run bits right.

A .cpp whose header says it may open with that header's inclusion instead.

    check_files.py CLANG_FORMAT
"""

import os
import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
TOP = {"CHANGELOG.md", "CMakeLists.txt", "CMakePresets.json", "CONTRIBUTING.md", "LICENSE", "README.md", "cmake", "config", "docs", "findings", "hooks",
       "packaging", "python", "src", "tests", "tools"}  # and what begins with a dot
CPP = {".h", ".cpp", ".cu", ".c"}
COMMENT = {**{s: ("//", "/*") for s in CPP | {".def", ".S"}}, ".py": ('"""', "#!"), ".cmake": ("#",)}


def project_names():
    """What git knows, and what it would if it were added now."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={SOURCE}", "-C", SOURCE, "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], capture_output=True, check=True).stdout.decode()
    return {name for name in listed.split("\0") if name and os.path.lexists(SOURCE / name)}


def check(path):
    try:
        text = path.read_text()
    except UnicodeDecodeError:  # data
        return
    script = text.startswith("#!")
    if os.access(path, os.X_OK) != script:
        yield "a script needs a run bit, and nothing else has one"
    kind = "CMakeLists.txt" if path.name == "CMakeLists.txt" else path.suffix
    opening = COMMENT.get(kind, ("#",) if kind == "CMakeLists.txt" else None)
    header = path.with_suffix(".h")
    explained_there = path.suffix == ".cpp" and header.exists() and re.match(rf'#include "([^"]*/)?{header.name}"', text)
    if opening and not text.startswith(opening) and not explained_there:
        yield "does not begin with a comment that says what it is for"
    if script and "\n# " not in text and '\n"""' not in text:
        yield "does not say what it is for"
    if text and not text.endswith("\n"):
        yield "does not end with a newline"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield f"line {number} ends in blanks"
        if "\t" in line and kind in CPP | {".py"}:
            yield f"line {number} has a tab"


def main():
    names = project_names()
    files = sorted(path for path in (SOURCE / name for name in names) if path.is_file())
    wrong = [f"{name}: nothing of that name belongs at the top" for name in sorted({name.split("/")[0] for name in names} - TOP)
             if not name.startswith(".")]
    wrong += [f"{path.relative_to(SOURCE)}: {why}" for path in files for why in check(path)]
    code = [path for path in files if path.suffix in CPP]
    formatted = subprocess.run([sys.argv[1], "--dry-run", "-Werror", *code], cwd=SOURCE, capture_output=True, text=True)
    wrong += [line for line in formatted.stderr.splitlines() if "error:" in line]
    if formatted.returncode != 0 and not wrong:
        wrong.append(formatted.stderr)
    print("\n".join(wrong) if wrong else f"{len(files)} files in order, {len(code)} of them C++")
    return 1 if wrong or not code else 0


if __name__ == "__main__":
    sys.exit(main())
