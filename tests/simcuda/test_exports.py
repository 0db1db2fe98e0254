"""The stand-in runtime exports what the toolkit's own libcudart exports: the same names, the same version.

usage: test_exports.py NM OURS THEIRS
"""

import subprocess
import sys


def exported(nm, library):
    lines = subprocess.run([nm, "-D", "--defined-only", "--format=posix", library], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if line.split()[1] in "TWi"}


def main():
    nm, ours, theirs = sys.argv[1:]
    ours, theirs = exported(nm, ours), exported(nm, theirs)
    print(f"{len(theirs)} functions")
    for name in sorted(theirs - ours):
        print("missing:", name)
    for name in sorted(ours - theirs):
        print("too much:", name)
    return int(ours != theirs or len(theirs) < 300)


if __name__ == "__main__":
    sys.exit(main())
