#!/usr/bin/env bash
# memray follows mmap and munmap, but not mremap: a mapping that grew is small, one that shrank and went is a leak.
#
# Expected: mmap.resize() of Python's own mmap module counts; after close() nothing is left.
# Happened: a mapping of 1 MiB that is resized to 100 MiB has a peak of 1 MiB. One of 100 MiB that is resized to 1 MiB
#   and closed is reported as a leak of 99 MiB, although nothing is mapped any more.
# Versions: memray 1.20.0, CPython 3.11 on x86-64 Linux with glibc 2.36.
# Matters: growing buffers for traces, pinned staging areas and arenas are made with mremap because it moves no
#   bytes. A report of memray may deny the largest of them, or accuse code that gave everything back.
# Source of the expectation: memray's documentation lists mmap and munmap among the calls that it records as
#   allocations, and tells of leaks as memory that was not given back while it watched.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q memray==1.20.0
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import importlib.metadata, mmap, sys
import memray

MiB = 1 << 20

def mapped(first, then):
    area = mmap.mmap(-1, first * MiB)
    if then != first:
        area.resize(then * MiB)
    area.close()

def watch(first, then):
    name = f"{first}-{then}.bin"
    with memray.Tracker(name):
        mapped(first, then)
    reader = memray.FileReader(name)
    left = sum(record.size for record in reader.get_leaked_allocation_records())
    return reader.metadata.peak_memory / MiB, left / MiB

print("memray", importlib.metadata.version("memray"))
results = {}
for sizes in ((100, 100), (1, 100), (100, 1)):
    results[sizes] = watch(*sizes)
    print("mapped %3d MiB, resized to %3d MiB, closed: peak %5.1f MiB, leaked %5.1f MiB" % (*sizes, *results[sizes]))
plain, grown, shrunk = results.values()
ok = plain[0] >= 100 and plain[1] < 1 and grown[0] < 2 and shrunk[1] > 98
sys.exit(0 if ok else 1)
PY
