"""What the tests of pages and exports share: running gmlake, inputs, and a page's data as Python has it.

GMLAKE names the executable.
"""

import base64
import gzip
import json
import os
import pickle
import re
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

GMLAKE = os.environ["GMLAKE"]
MIB = 2**20
# Where names of the input could become part of the page.
EVIL = "</script><img src=x onerror=\"document.documentElement.dataset.evil='yes'\"><!-- \u2028 \x1b[2J"


def event(action, addr, size, stream=0, time=0, frames=(), **more):
    return {"action": action, "addr": addr, "size": size, "stream": stream, "time_us": 10**15 + time, "frames": list(frames), **more}


def frames(*names):
    """The innermost first, as PyTorch has them."""
    return [{"filename": f"/program/{name}.py", "line": 10 + i, "name": name} for i, name in enumerate(names)]


def snapshot(name="attention"):
    """Two layers' worth of steps with stacks, a segment that is taken meanwhile, and an allocation that fails."""
    base = 0x7F0000000000
    block = {"address": base, "size": 2 * MIB, "requested_size": 2 * MIB, "state": "active_allocated", "frames": frames("weights", "main")}
    hole = {"address": base + 2 * MIB, "size": 62 * MIB, "requested_size": 0, "state": "inactive", "frames": []}
    segment = {"device": 0, "address": base, "total_size": 64 * MIB, "stream": 0, "segment_type": "large", "segment_pool_id": (0, 0),
               "allocated_size": 2 * MIB, "active_size": 2 * MIB, "requested_size": 2 * MIB, "is_expandable": False, "frames": [],
               "blocks": [block, hole]}
    events = []
    for step in range(100):
        if step == 50:
            events.append(event("segment_alloc", base + 32 * MIB, 32 * MIB, 0, 10 * step))
        for layer, who in ((0, name), (1, "mlp")):
            at = base + (4 + 8 * layer) * MIB
            events.append(event("alloc", at, (layer + 1) * MIB + step, layer * 7, 10 * step + layer, frames(who, "forward", "main")))
        if step == 70:
            events.append(event("oom", 0, 512 * MIB, 0, 10 * step + 3, frames(who, "main"), device_free=100 * MIB))
        for layer in (1, 0):
            at = base + (4 + 8 * layer) * MIB
            for action in ("free_requested", "free_completed"):
                events.append(event(action, at, (layer + 1) * MIB + step, layer * 7, 10 * step + 5))
    return {"segments": [segment], "device_traces": [events], "allocator_settings": {}, "external_annotations": []}


def shortage(explanation="out of memory on device 0: 8 MiB were asked for"):
    """As stats.oom_file writes it, made up: a home range with holes, and a window over two of its pieces."""
    home = 0x300000000  # regions and pieces are told from there
    states = ["live", "free", "live", "free", "parked", "free", "held", "absent"]
    regions = []
    for i, state in enumerate(states):
        region = {"start": i * 4 * MIB, "size": 4 * MIB, "state": state, "heap": "small" if i == 6 else "large"}
        if state == "free":
            region["fence"] = {"timeline": 1, "value": i, "passed": i != 3}
        regions.append(region)
    pieces = [{"start": 8 * MIB, "size": 4 * MIB}, {"start": 16 * MIB, "size": 4 * MIB}]
    return {"format": "gmlake-out-of-memory", "version": 1, "device": 0, "explanation": explanation,
            "request": {"bytes": 16 * MIB, "missing": 4 * MIB},
            "memory": {"home": home, "live": 8 * MIB, "physical": 28 * MIB, "free": 12 * MIB, "largest_span": 4 * MIB, "limit_left": 0, "device_free": MIB},
            "timelines": [{"timeline": 1, "kind": "stream", "passed": 1, "pending_bytes": 4 * MIB}],
            "regions": regions,
            "windows": [{"address": 0x500000000, "size": 8 * MIB, "busy": True, "pieces": pieces}],
            "blocks": [{"address": 0x500000000, "requested": 8 * MIB - 5, "size": 8 * MIB, "window": 0},
                       {"address": home, "requested": 4 * MIB, "size": 4 * MIB},
                       {"address": home + 24 * MIB, "requested": 5, "size": 512}],
            "counters": {"allocations": 7, "out_of_memory": 1}}


def holders(name="forward"):
    """`who` of a report: two names, three places, of which one is not freed, and one was asked for by Python."""
    def one(name, frames, **figures):
        return {"name": name, "library": "libtorch.so", "frames": [*frames, "main (train)"], "blocks": 1, "oldest_seconds": 2.5, "stream": "7", **figures}
    return {"sample_bytes": MIB, "live": 4 * MIB, "peak": 12 * MIB, "lost": 0, "holders": [
        one(name, ["empty (libtorch.so)", "attention (train)"], at_peak=6 * MIB, live=0, allocated=60 * MIB),
        one(name, ["empty (libtorch.so)", "mlp (train)"], at_peak=2 * MIB, live=0, allocated=20 * MIB,
            python=["MLP.forward (model.py:7)", "<module> (train.py:3)"]),
        one("", ["weights (train)"], at_peak=4 * MIB, live=4 * MIB, allocated=4 * MIB)]}


def report(executable="train", **counters):
    devices = [{"device": i, "counters": {"allocations": 3, "peak_live_bytes": MIB, **counters}} for i in range(2)]
    total = {"counters": {"allocations": 6, "peak_live_bytes": 2 * MIB, "peak_physical_bytes": 4 * MIB}}
    process = {"pid": 42, "executable": executable, "host": "node", "rank": "0", "seconds": 1.5, "recovered": False}
    return {"format": "gmlake-report", "version": 1, "process": process, "devices": devices, "total": total}


def varints(data, count):
    numbers, at = [], 0
    for _ in range(count):
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        numbers.append(number)
    assert at == len(data)
    return numbers


def data_of(page):
    """A page's documents; each with `column`, a function of a column's name."""
    (text,) = re.findall(r'<script type="application/octet-stream" id="data">([A-Za-z0-9+/=]*)</script>', page)
    data = gzip.decompress(base64.b64decode(text, validate=True))
    (length,) = struct.unpack_from("<I", data)
    about = json.loads(data[4:4 + length])
    columns = data[4 + length:]
    for document in about["documents"]:
        def column(name, places=document["columns"]):
            offset, size, count = places[name]
            return varints(columns[offset:offset + size], count)
        document["column"] = column
    return about


class Pictures(unittest.TestCase):
    """Each test has a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gmlake-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def gmlake(self, *arguments, status=0, **environment):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("GMLAKE_")}
        done = subprocess.run([GMLAKE, *map(str, arguments)], capture_output=True, check=False, timeout=300, env={**keep, **environment})
        self.assertEqual(done.returncode, status, done.stderr.decode(errors="replace"))
        return done

    def write(self, name, content):
        """A trace as text, a snapshot to be pickled, or JSON."""
        path = self.folder / name
        if name.endswith(".pickle"):
            path.write_bytes(pickle.dumps(content, 4))
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def generate(self, name, *arguments):
        path = self.folder / name
        small = [] if "--model" in arguments else ["--model", "tiny", "--sequence", 128, "--batch", 2]
        self.gmlake("trace", "generate", *small, *arguments, "--output", path)
        return path

    def page(self, *inputs, name="page.html"):
        path = self.folder / name
        self.gmlake("report", "--html", path, *inputs)
        return path
