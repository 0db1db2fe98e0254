#!/usr/bin/env bash
# PyTorch's _memory_viz.py: "TOTAL MEM" of "trace" is the size of the last event plus its number, often negative.
#
# Expected: the line at the end is the memory that the traced events left allocated: 96 MiB after allocations of 64 and
#   32 MiB.
# Happened: it says 32.0MiB. The sum is kept in the variable that also numbers the events in the loop, and starts over
#   with each. After a free at the end it is negative: -64.0MiB. A trace that ends in an event without a size, such as a
#   free that is only requested, says the number of events as bytes.
# Versions: _memory_viz.py of torch 2.9.1, CPython 3.11; that of torch 2.15.0 does the same.
# Matters: it is the one total that the tool prints of a recording. A small or negative one is taken for "the recording
#   began late", which is so common that nobody doubts the arithmetic.
# Source of the expectation: the label, and the tool's help, which promises the allocation events in the manner of a
#   Python program; the additions and subtractions of each event's size are in its source.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
# The file is pure Python and the same in the wheels of all systems; this wheel is the smallest.
venv/bin/pip download -q --no-deps --only-binary=:all: --platform macosx_11_0_arm64 --implementation cp \
    --python-version 3.11 torch==2.9.1
venv/bin/python - <<'PY'
import pickle, subprocess, sys, zipfile

with zipfile.ZipFile("torch-2.9.1-cp311-none-macosx_11_0_arm64.whl") as wheel, open("_memory_viz.py", "wb") as out:
    out.write(wheel.read("torch/cuda/_memory_viz.py"))
print("_memory_viz.py of torch 2.9.1")

MiB, base = 1 << 20, 0x7F2000000000
events = []

def event(action, offset, size):
    events.append(dict(action=action, addr=base + offset * MiB, size=size * MiB, stream=0, frames=[],
                       time_us=len(events)))

def total():
    with open("snapshot.pickle", "wb") as file:
        pickle.dump(dict(segments=[], device_traces=[events], allocator_settings={}, external_annotations=[]), file)
    done = subprocess.run([sys.executable, "_memory_viz.py", "trace", "snapshot.pickle"], capture_output=True,
                          text=True, check=True)
    return done.stdout.strip().splitlines()[-1]

said = []
event("alloc", 0, 64)
event("alloc", 64, 32)
said.append(total())
print("64 MiB and 32 MiB allocated:", said[-1])
event("free_requested", 0, 64)
said.append(total())
print("64 MiB asked to be freed:   ", said[-1])
event("free_completed", 0, 64)
said.append(total())
print("64 MiB freed:               ", said[-1])
sys.exit(0 if said == ["TOTAL MEM: 32.0MiB", "TOTAL MEM: 2.0B", "TOTAL MEM: -64.0MiB"] else 1)
PY
