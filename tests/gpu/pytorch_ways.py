"""PyTorch on a GPU, each way: peaks of the programs in README.md's table, and what must work as natively.

    pytorch_ways.py --build build/release | --wheel FILE [--python PYTHON] [--only PROGRAM,...] [--no-checks] [--steps 24] [--json FILE]

--python has torch (and transformers, torch_geometric for the peaks); nothing is installed into it: the wheel, made of the build if it
is not named, is unpacked into a folder. Peaks are NVML's, above what was used before; nothing else should use the GPU. Ends with 1 if something failed,
or if a peak of gmlake's is above 0.98 of the best of the others, or results differ from native ones.
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
from gpu_check.machine import MemorySampler, clean_environment  # noqa: E402

CONF = "PYTORCH_CUDA_ALLOC_CONF"
WAYS = {  # what is set, what is put in front, what the program is told
    "native": ({}, False, []),
    "expandable": ({CONF: "expandable_segments:True"}, False, []),
    "cudaMallocAsync": ({CONF: "backend:cudaMallocAsync"}, False, []),
    "run --pytorch": ({}, True, []),
    "enable()": ({}, False, ["--enable"]),
}
OURS = ("run --pytorch", "enable()")
PROGRAMS = ("lora", "graph", "gpt2", "moe")
TOLERANCE = 0.02  # of a loss: kernels with atomic additions do not give the same twice
CHECKS = {  # the ways each must work; where PyTorch refuses it, docs/pytorch.md says so
    "out_of_memory": ("native", *OURS),
    "graph": ("native", *OURS),
    "mem_pool": ("native",),  # under enable() PyTorch refuses its own, and gmlake.torch.mem_pool() is asked for below
    "record_stream": ("native", *OURS),
    "loader": ("native", *OURS),
    "ddp": ("native", *OURS),
    "figures": ("enable()",),
}


class Runner:
    def __init__(self, options, folder):
        self.python = options.python
        self.package = folder / "package"
        wheel = options.wheel or self.build(options.build)
        subprocess.run([self.python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", self.package, wheel],
                       check=True)

    @staticmethod
    def build(folder):
        built = subprocess.run(["cmake", "--build", folder, "--target", "wheel"], capture_output=True, text=True)
        wheels = sorted((Path(folder) / "dist").glob("gmlake-*.whl"), key=lambda path: path.stat().st_mtime)
        if built.returncode != 0 or not wheels:
            sys.exit(f"pytorch_ways.py: no wheel could be made of {folder}\n{built.stdout}{built.stderr}")
        return wheels[-1]

    def run(self, way, *arguments, script="pytorch_program.py", **settings):
        """What the program said, its peak in bytes, and what went wrong."""
        more, in_front, told = WAYS[way]
        command = [self.python, SOURCE / "tests" / "gpu" / script, *told, *arguments]
        if in_front:
            command = [self.python, "-m", "gmlake", "run", "--pytorch", "--", *command]
        environment = {**clean_environment(), "PYTHONPATH": str(self.package), "GMLAKE_STATS_REPORT": "none",
                       "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONDONTWRITEBYTECODE": "1", **more, **settings}
        with MemorySampler() as memory:
            done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=900)
        peak = memory.peak - memory.before if memory.before is not None else None
        try:
            return json.loads(done.stdout.splitlines()[-1]), peak, ""
        except (IndexError, ValueError):
            return {}, peak, done.stderr.strip()[-600:] or f"exit status {done.returncode}"


def peaks(runner, programs, steps):
    problems, rows = [], {}
    for program in programs:
        row = rows[program] = {}
        native = None
        for way in WAYS:
            said, peak, failure = runner.run(way, "steps", program, str(steps))
            row[way] = {"peak_mib": peak and peak >> 20, **said, **({"failure": failure} if failure else {})}
            if failure:
                problems.append(f"{program}, {way}: {failure}")
            results = said.get("results")
            native = native or results
            if results and native and any(abs(a - b) > TOLERANCE * max(1, abs(b)) for a, b in zip(results, native)):
                problems.append(f"{program}, {way}: other results than natively: {results} instead of {native}")
            print(f"{program:8} {way:16} {row[way]['peak_mib'] or '?':>8} MiB  {said.get('later_s', '-')} s  {failure[-100:]}", flush=True)
        others = [row[way]["peak_mib"] for way in WAYS if way not in OURS and row[way]["peak_mib"] and "failure" not in row[way]]
        for way in OURS:
            if others and row[way]["peak_mib"] and row[way]["peak_mib"] > 0.98 * min(others):
                problems.append(f"{program}, {way}: peak {row[way]['peak_mib']} MiB, more than 0.98 of {min(others)}")
    return rows, problems


def checks(runner):
    problems, rows = [], {}
    for check, ways in CHECKS.items():
        for way in ways:
            said, _, failure = runner.run(way, "check", check)
            rows[f"{check}, {way}"] = failure or said
            print(f"{check:14} {way:16} {'ok' if said.get('ok') else 'FAILED'}  {said.get('said', '')}{failure[-300:]}", flush=True)
            if not said.get("ok"):
                problems.append(f"{check}, {way}: {failure or said}")
    refused, _, failure = runner.run("enable()", "check", "mem_pool")
    rows["mem_pool, enable()"] = failure or refused
    if refused or "does not yet support" not in failure:
        problems.append(f"mem_pool, enable(): PyTorch refuses it no more: say so in docs/pytorch.md ({failure or refused})")
    others = [("gmlake.torch.mem_pool()", runner.run("native", "check", "mem_pool", CHECK_POOL="gmlake"))]
    others += [(f"gmlake.{name}", runner.run("native", name, script="other_frameworks.py")) for name in ("cupy", "numba")]
    for name, (said, _, failure) in others:
        rows[name] = failure or said
        if failure and "gmlake" not in failure:  # it can not be imported at all
            print(f"{name:31} not usable here  {failure[-100:]}", flush=True)
            continue
        print(f"{name:31} {'ok' if said.get('ok') else 'FAILED'}  {failure[-300:]}", flush=True)
        if not said.get("ok"):
            problems.append(f"{name}: {failure or said}")
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
