#!/usr/bin/env bash
# PyTorch's _memory_viz.py: "compare" can not compare any two snapshots.
#
# Expected: `_memory_viz.py compare before.pickle after.pickle` works on what torch.cuda.memory._dump_snapshot writes, as
#   "stats" and "trace" do; at worst it wants the older kind, the bare list of segments.
# Happened: TypeError for both. The reader turns the older kind into the newer one, a dictionary, so that all commands
#   see the same; the comparison goes on to iterate over a list of segments, and gets the keys of the dictionary. The
#   function works when a program calls it with the two lists.
# Versions: _memory_viz.py of torch 2.9.1, CPython 3.11; that of torch 2.15.0 does the same.
# Matters: the two snapshots of a run that grows are what one takes to find a leak; the tool's one command for that ends
#   in a traceback that reads as if the snapshot were broken.
# Source of the expectation: the tool's own help, which offers compare to make a flame graph of the segments that were
#   added or removed between two snapshots, in the same words for its input as for the other commands.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
# The file is pure Python and the same in the wheels of all systems; this wheel is the smallest.
venv/bin/pip download -q --no-deps --only-binary=:all: --platform macosx_11_0_arm64 --implementation cp \
    --python-version 3.11 torch==2.9.1
venv/bin/python - <<'PY'
import importlib.util, pickle, subprocess, sys, zipfile

with zipfile.ZipFile("torch-2.9.1-cp311-none-macosx_11_0_arm64.whl") as wheel, open("_memory_viz.py", "wb") as out:
    out.write(wheel.read("torch/cuda/_memory_viz.py"))
print("_memory_viz.py of torch 2.9.1")

MiB = 1 << 20

def segment(address):
    block = dict(address=address, size=2 * MiB, requested_size=2 * MiB, state="active_allocated", frames=[])
    return dict(device=0, address=address, total_size=2 * MiB, allocated_size=2 * MiB, active_size=2 * MiB,
                requested_size=2 * MiB, stream=0, segment_type="small", segment_pool_id=(0, 0), is_expandable=False,
                frames=[], blocks=[block])

def snapshot(*addresses):
    return dict(segments=[segment(address) for address in addresses], device_traces=[[]], allocator_settings={},
                external_annotations=[])

before, after = snapshot(0x7F2000000000), snapshot(0x7F2000000000, 0x7F2000200000)

def command(action, *datas):
    names = []
    for number, data in enumerate(datas):
        names.append(f"{action}-{number}.pickle")
        with open(names[-1], "wb") as file:
            pickle.dump(data, file)
    done = subprocess.run([sys.executable, "_memory_viz.py", action, *names], capture_output=True, text=True)
    return done.returncode, (done.stderr or done.stdout).strip().splitlines()

status, lines = command("stats", after)
print("stats:", status, "-", [line for line in lines if line.startswith("segments")])
failed = []
for kind, pair in (("dictionaries", (before, after)), ("lists", (before["segments"], after["segments"]))):
    status, lines = command("compare", *pair)
    print(f"compare, {kind}: {status} - {lines[-1]}")
    failed.append(status != 0 and lines[-1].startswith("TypeError"))

spec = importlib.util.spec_from_file_location("memory_viz", "_memory_viz.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("called with lists:")
text = module.compare(before["segments"], after["segments"], format_flamegraph=str)
print(text.strip())
sys.exit(0 if all(failed) and "only_after" in text else 1)
PY
