"""The command `gmlake`: becomes the program that the package carries, which finds its library beside itself."""

import os
import sys
from pathlib import Path

COMMAND = Path(__file__).parent / "bin" / "gmlake"


def main():
    if not os.access(COMMAND, os.X_OK):  # unpacked by something that drops the mode
        COMMAND.chmod(0o755)
    os.execv(COMMAND, ["gmlake", *sys.argv[1:]])


if __name__ == "__main__":
    main()
