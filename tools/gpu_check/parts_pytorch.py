"""The parts about PyTorch with gmlake: README.md's table of peaks, and what must work, by tests/gpu/pytorch_ways.py."""

from . import package
from .session import load_json

STEPS = 12  # as README.md's table
PROGRAMS = {
    "gpt2": "GPT-2 fine-tuning, random length and batch",
    "graph": "graph attention network, random graphs",
    "moe": "Mixtral-like MoE",
    "lora": "Llama 1.3B LoRA, checkpointing, lengths 300 to 4000",
    "generation": "Llama 1.3B generation, growing cache",
}
WAYS = {
    "native": "PyTorch's allocator",
    "expandable": "expandable segments",
    "cudaMallocAsync": "cudaMallocAsync",
    "run --pytorch": "`gmlake run --pytorch`",
    "enable()": "`gmlake.torch.enable()`",
}
OURS = ("run --pytorch", "enable()")


def ways(session, name, wheel, *arguments, timeout):
    """What pytorch_ways.py wrote; its problems become the part's."""
    file = session.work / f"ways-{name}.json"
    run = session.run(name, session.machine.python, session.source / "tests" / "gpu" / "pytorch_ways.py", "--wheel", wheel,
                      "--python", session.machine.python, "--json", file, *arguments, python=True, quiet=True, timeout=timeout)
    said = load_json(file)
    for problem in said.get("problems", ()):
        session.problem(problem)
    if not said or (not run.ok and not said["problems"]):
        session.problem(f"{name}: {run.failure()[-600:]}")
    return said


def peaks(session, programs):
    table = session.table("Peaks, MiB (NVML)", "program", *WAYS.values(), "the larger of gmlake's / the best of the others",
                          note=f"{STEPS} steps; README.md has these rows. At most 0.98, and results as natively, or it is a problem.")
    times = session.table("Later half of the steps, s", "program", *WAYS.values())
    wheel = package.wheel(session.build, session.work)
    for program, title in PROGRAMS.items():
        said = ways(session, program, wheel, "--no-checks", "--only", program, "--steps", STEPS, timeout=400)
        row = said.get("peaks", {}).get(program, {})
        found = {way: None if "failure" in row.get(way, {}) else row.get(way, {}).get("peak_mib") for way in WAYS}
        ours = [peak for way, peak in found.items() if peak and way in OURS]
        others = [peak for way, peak in found.items() if peak and way not in OURS]
        table.row(title, *(f"{peak:,}" if peak else "-" for peak in found.values()),
                  max(ours) / min(others) if ours and others else "-")
        times.row(title, *(row.get(way, {}).get("later_s", "-") for way in WAYS))
        session.say(f"    {title}: {' | '.join(table.rows[-1][1:])}; later steps {' | '.join(times.rows[-1][1:])}")


def checks(session, programs):
    said = ways(session, "checks", package.wheel(session.build, session.work), "--only", "", timeout=580)
    table = session.table("What must work as natively, or be refused as docs/pytorch.md has it", "what", "way", "outcome", "said")
    for check, row in said.get("checks", {}).items():
        for way, one in row.items():
            outcome = "refused, as documented" if one.get("refused") else "ok" if one["ok"] else "FAILED"
            table.row(check, way, outcome, one.get("failure") or one.get("said", ""))
            session.say(f"    {check}, {way}: {outcome}")
