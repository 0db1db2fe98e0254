#!/usr/bin/env python3
"""For test_python_parts.py: a Python whose frameworks say what $STAND_IN/answers.json has, or that all is well."""

import ctypes
import json
import os
import runpy
import sys
import time
from pathlib import Path

MIB = 1 << 20
FOLDER = Path(os.environ["STAND_IN"])
WORDS = sys.argv[1:]


def answer(subject, way, **otherwise):
    said = {**otherwise, **json.loads((FOLDER / "answers.json").read_text()).get(f"{subject}, {way}", {})}
    failure = said.pop("fails", None)
    return sys.exit(failure) if failure else said


def use(mib):
    """What NVML would say is in use."""
    (FOLDER / "next").write_text(str(mib * MIB))
    (FOLDER / "next").rename(FOLDER / "used")


def ways():
    """The script itself, with NVML's part played by a file."""
    sys.path.insert(0, str(Path(WORDS[0]).resolve().parents[2] / "tools"))
    from gpu_check.machine import MemorySampler

    MemorySampler.used = lambda self: int((FOLDER / "used").read_text())
    use(0)
    sys.argv = WORDS
    runpy.run_path(WORDS[0], run_name="__main__")


def program():
    conf = os.environ.get("PYTORCH_CUDA_ALLOC_CONF", "")
    way = ("run --pytorch" if WORDS[0] == "-m" else "enable()" if "--enable" in WORDS else "mem_pool()" if "CHECK_POOL" in os.environ
           else {"expandable_segments:True": "expandable", "backend:cudaMallocAsync": "cudaMallocAsync", "": "native"}[conf])
    ours = way in ("run --pytorch", "enable()")
    if "steps" in WORDS:
        name = WORDS[WORDS.index("steps") + 1]
        said = answer(name, way, results=[7, 70000000] if name == "generation" else [1.0, 1.0], later_s=0.5, peak=900 if ours else 1000)
        use(said.pop("peak"))
        time.sleep(0.1)
        use(0)
    else:
        name = WORDS[-1]
        refused = {"fails": "RuntimeError: it does not yet support that"} if name == "mem_pool" and ours else {}
        said = answer(name, way, **(refused or {"ok": True}))
    print(json.dumps(said))


def framework():
    whose, name = WORDS[-2:]
    preloaded = "LD_PRELOAD" in os.environ
    said = answer(name, "preloaded" if preloaded else whose, answers=[1, 2], served=100 * MIB, left=0, allocates=True)
    if preloaded and said["allocates"]:
        ctypes.CDLL("libcudart.so.13").cudaMalloc(ctypes.byref(ctypes.c_void_p()), ctypes.c_size_t(MIB))
    print(json.dumps(said))


for script, part in {"pytorch_ways.py": ways, "pytorch_program.py": program, "other_frameworks.py": framework}.items():
    if any(word.endswith(script) for word in WORDS):
        part()
        break
else:
    os.execv(sys.executable, [sys.executable, *WORDS])
