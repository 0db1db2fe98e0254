"""What is shipped is linked with full RELRO, and all its code is compiled to guard its stack.

usage: check_hardened.py compile_commands.json FILE...
"""

import json
import re
import subprocess
import sys

SHIPPED = re.compile(r" -o (?:src|hooks|tools/gmlake)/CMakeFiles/\S+\.o\b")


def unguarded(commands):
    shipped = [entry["command"] for entry in json.load(open(commands)) if SHIPPED.search(entry["command"])]
    if not shipped:
        yield "no command compiles what is shipped"
    for command in shipped:
        if "-fstack-protector" not in command:
            yield f"{SHIPPED.search(command)[0]}: without -fstack-protector"


def open_to_writes(file):
    told = subprocess.run(["readelf", "--dynamic", "--segments", "--wide", file], check=True, capture_output=True, text=True).stdout
    if "GNU_RELRO" not in told:
        yield f"{file}: no segment is read-only once it is relocated"
    if "BIND_NOW" not in told:
        yield f"{file}: symbols are settled at their first use, in a table that can be written to"


def main():
    found = [*unguarded(sys.argv[1]), *(problem for file in sys.argv[2:] for problem in open_to_writes(file))]
    print(*found, sep="\n")
    sys.exit(1 if found or len(sys.argv) < 3 else 0)


main()
