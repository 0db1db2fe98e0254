"""How a client tells what it found: one line each, the same in every run."""

import zlib


def say(what, value):
    print(f"{what}: {value}")


def digest(data):
    return f"{zlib.crc32(bytes(data)):08x}"
