"""PyTorch on a GPU, each way: peaks of the programs in README.md's table, and what must work as natively.

    pytorch_ways.py --build build/release | --wheel FILE [--python PYTHON] [--only PROGRAM,...] [--no-checks] [--steps 24] [--json FILE]

--python has torch (and transformers, torch_geometric for the peaks, accelerate and pytorch_lightning for the checks); nothing is
installed into it: the wheel, made of the build if it is not named, is unpacked into a folder. Peaks are NVML's, above what was used
before; nothing else should use the GPU.
Ends with 1 if something failed, a peak of gmlake's is above 0.98 of the best of the others, or results differ from native ones.
tools/gpu-check runs it, and makes tables of what it writes into FILE.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tools"))
from gpu_check import package  # noqa: E402
from gpu_check.machine import MemorySampler, clean_environment  # noqa: E402

CONF = "PYTORCH_CUDA_ALLOC_CONF"
WAYS = {  # what is set, what is put in front, what the program is told
    "native": ({}, False, []),
    "expandable": ({CONF: "expandable_segments:True"}, False, []),
    "cudaMallocAsync": ({CONF: "backend:cudaMallocAsync"}, False, []),
    "run --pytorch": ({}, True, []),
    "enable()": ({}, False, ["--enable"]),
}
POOL = {"mem_pool()": ({"CHECK_POOL": "gmlake"}, False, [])}  # gmlake.torch.mem_pool(), beside PyTorch's own allocator
OURS = ("run --pytorch", "enable()")
PROGRAMS = ("gpt2", "graph", "moe", "lora", "generation")
TOLERANCE = 0.02  # of a loss: kernels with atomic additions do not give the same twice. A number of tokens is a whole number, and the same
SECONDS = 240  # for one program
CHECKS = {  # the ways each must work; what PyTorch refuses is below, and in docs/pytorch.md
    "out_of_memory": ("native", *OURS),
    "batch_size": ("native", "enable()"),  # the other way has the words of its backend, natively too
    "graph": ("native", *OURS),
    "mem_pool": ("native", "mem_pool()"),
    "record_stream": ("native", *OURS),
    "loader": ("native", *OURS),
    "ddp": ("native", *OURS),
    "figures": ("enable()",),
}
REFUSED = {"mem_pool": OURS}  # torch.cuda.MemPool, natively refused with backend:cudaMallocAsync as well
REFUSAL = "does not yet support"


class Runner:
    def __init__(self, options, folder):
        self.python = options.python
        self.path = package.python_path(options.wheel or package.wheel(options.build, folder), folder)

    def run(self, way, *arguments):
        """What the program said, its peak in bytes, and what went wrong."""
        more, in_front, told = {**WAYS, **POOL}[way]
        command = [self.python, SOURCE / "tests" / "gpu" / "pytorch_program.py", *told, *arguments]
        if in_front:
            command = [self.python, "-m", "gmlake", "run", "--pytorch", "--", *command]
        environment = {**clean_environment(), "PYTHONPATH": self.path, "GMLAKE_STATS_REPORT": "none",
                       "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONDONTWRITEBYTECODE": "1", **more}
        with MemorySampler() as memory:
            try:
                done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                return {}, None, f"has not ended after {SECONDS} s"
        try:
            return json.loads(done.stdout.splitlines()[-1]), memory.above_before(), ""
        except (IndexError, ValueError):
            return {}, memory.above_before(), done.stderr.strip()[-600:] or f"exit status {done.returncode}"


def same(results, native):
    return len(results) == len(native) and all(abs(a - b) <= (TOLERANCE * max(1, abs(b)) if isinstance(b, float) else 0)
                                               for a, b in zip(results, native))


def peaks(runner, programs, steps):
    problems, rows = [], {}
    for program in programs:
        row = rows[program] = {}
        native = None
        for way in WAYS:
            said, peak, failure = runner.run(way, "steps", program, str(steps))
            row[way] = {"peak_mib": peak and peak >> 20, **said, **({"failure": failure} if failure else {})}
            print(f"{program:10} {way:16} {row[way]['peak_mib'] or '?':>8} MiB  {said.get('later_s', '-')} s  {failure[-100:]}", flush=True)
            if failure:
                problems.append(f"{program}, {way}: {failure}")
                continue
            native = native or said["results"]
            if not same(said["results"], native):
                problems.append(f"{program}, {way}: other results than natively: {said['results']} instead of {native}")
            if not row[way]["peak_mib"]:
                problems.append(f"{program}, {way}: no peak was measured")
        measured = {way: one["peak_mib"] for way, one in row.items() if one["peak_mib"] and "failure" not in one}
        best = min((peak for way, peak in measured.items() if way not in OURS), default=None)
        for way in OURS:
            if best and way in measured and measured[way] > 0.98 * best:
                problems.append(f"{program}, {way}: peak {measured[way]} MiB, more than 0.98 of {best}")
    return rows, problems


def checks(runner):
    problems, rows = [], {}

    def note(check, way, said, failure, fine):
        rows.setdefault(check, {})[way] = {**said, "ok": fine, **({"failure": failure} if failure else {})}
        print(f"{check:14} {way:16} {'ok' if fine else 'FAILED'}  {said.get('said', '')}{failure[-300:]}", flush=True)
        if not fine:
            problems.append(f"{check}, {way}: {failure or said}")

    for check, ways in CHECKS.items():
        for way in ways:
            said, _, failure = runner.run(way, "check", check)
            note(check, way, said, failure, said.get("ok") is True)
    for check, ways in REFUSED.items():
        for way in ways:
            said, _, failure = runner.run(way, "check", check)
            refused = not said and REFUSAL in failure
            note(check, way, {"refused": True} if refused else said, failure.splitlines()[-1] if refused else failure, refused)
    return rows, problems


def main():
    parser = argparse.ArgumentParser()
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--build")
    source.add_argument("--wheel")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", default=",".join(PROGRAMS), help="programs, or nothing for the checks alone")
    parser.add_argument("--no-checks", action="store_true", help="the peaks alone")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(options, Path(folder))
        checked, problems = ({}, []) if options.no_checks else checks(runner)
        measured, more = peaks(runner, [name for name in options.only.split(",") if name], options.steps)
    problems += more
    if options.json:
        options.json.write_text(json.dumps({"checks": checked, "peaks": measured, "problems": problems}, indent=1) + "\n")
    print("\n".join(["", *problems]) if problems else "\nall as it should be")
    return 1 if problems else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
