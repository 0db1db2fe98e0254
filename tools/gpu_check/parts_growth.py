"""The parts about beginnings: new memory by block size, threads with random sizes, first steps of PyTorch programs."""

import statistics

from .session import MIB, mib, ratio

SIMULATED = {"SIMCUDA_CHECKS": "none", "SIMCUDA_BACKING": "none", "SIMCUDA_MEMORY": "64GiB"}


def growth(session, programs):
    """tests/programs/growth, natively and under the library in turn; of each figure the least of all runs."""
    extra = SIMULATED if session.simulated else {}
    total = (1 if session.simulated else 16) << 30
    rounds = 1 if session.simulated else 3
    table = session.table("New memory, and memory had before, ms a GiB", "calls", "block MiB", "native", "gmlake",
                          "gmlake / native", "native, again", "gmlake, again")
    for api in ("async", "malloc"):
        for size in (2, 20, 64, 512):
            native, ours = least(session, rounds, "grow", "--api", api, "--bytes", size * MIB, "--total", total, **extra)
            a, b = (one.get("new_ms_per_gib") for one in (native, ours))
            table.row(api, size, a, b, ratio(b, a), native.get("again_ms_per_gib"), ours.get("again_ms_per_gib"))
    table = session.table("Random sizes up to 16 MiB, a stream for each thread, us for a free and an allocation", "calls",
                          "held before, GiB", "threads", "native", "gmlake", "native / gmlake", "gmlake / its own with one thread")
    for api in ("async", "malloc"):
        for held in (0, total):
            alone = None
            for threads in (1, 4, 16):
                native, ours = least(session, rounds, "churn", "--api", api, "--threads", threads, "--rounds",
                                     200 if session.simulated else 1000, *(("--total", held) if held else ()), **extra)
                a, b = (one.get("us_per_round") for one in (native, ours))
                alone = alone or b
                table.row(api, held >> 30, threads, a, b, ratio(a, b), ratio(b, alone))


def least(session, rounds, *arguments, **extra):
    found = ({}, {})
    for _ in range(rounds):
        for best, run in zip(found, session.both(" ".join(map(str, arguments[:5])), session.test("growth"), *arguments,
                                                 quiet=True, **extra)):
            if not run.ok:
                session.problem(f"{run.name}: {run.failure()[-300:]}")
            for key, value in run.last().items() if run.ok else ():
                best[key] = min(value, best.get(key, value))
    return found


def torch_conf(text):
    return {"PYTORCH_ALLOC_CONF": text, "PYTORCH_CUDA_ALLOC_CONF": text}


ASYNC = "backend:cudaMallocAsync"
PROGRAMS = {"moe": 8, "graph": 16, "gpt2": 10}  # with their later steps
SECONDS_A_ROUND = 150


def first_steps(session, programs):
    """One program at a time is on the GPU; the next one imports meanwhile."""
    ours = session.build / "lib" / "libgmlake.so"
    variants = {  # settings, arguments, preloaded
        "native caching": ({}, [], False),
        "expandable_segments": (torch_conf("expandable_segments:True"), [], False),
        "backend:cudaMallocAsync": (torch_conf(ASYNC), [], False),
        "backend:cudaMallocAsync, gmlake": (torch_conf(ASYNC), [], True),
        "plug-in, gmlake": ({"GMLAKE_STATS_REPORT": "none"}, ["--plugin", ours, "gmlake"], False),
        "plug-in that calls cudaMallocAsync": ({}, ["--plugin", programs.path("plain_plugin.so"), "plain"], False),
    }
    rounds = 1 if session.seconds is None else max(1, min(3, int(session.seconds // (SECONDS_A_ROUND * 0.8))))
    plan = [(program, variant) for _ in range(rounds) for program in PROGRAMS for variant in variants]
    runs = {}
    waiting = None
    for at in range(len(plan) + 1):
        following = begin(session, *plan[at], variants[plan[at][1]]) if at < len(plan) else None
        if waiting:
            runs.setdefault(plan[at - 1], []).append(waiting.finish(timeout=60))
        waiting = following
    report(session, variants, runs)


def begin(session, program, variant, how):
    settings, arguments, preload = how
    return session.begin(f"{program}, {variant}", session.machine.python, session.source / "tests" / "gpu" / "first_steps.py",
                         "--program", program, "--steps", PROGRAMS[program], "--wait", *arguments, preload=preload, waits=True,
                         python=True, PYTHONDONTWRITEBYTECODE="1", HF_HUB_OFFLINE="1", **settings)


def report(session, variants, runs):
    table = session.table(
        "PyTorch: first and later steps", "program", "allocator", "outcome", "model s", "first step s", "/ cudaMallocAsync",
        "later steps s", "/ cudaMallocAsync", "/ expandable", "median step ms", "peak MiB (NVML)", "results same",
        note="The median of the runs; peaks are the largest. `results same`: the losses, to 3 digits, are the native ones.")
    for program in PROGRAMS:
        said = {}
        for variant in variants:
            done = runs.get((program, variant), [])
            ok = [run for run in done if run.ok and run.last()]
            for run in done:
                if run not in ok:
                    session.problem(f"{run.name}: {run.failure()[-300:]}")
            said[variant] = {key: statistics.median(run.last()[key] for run in ok)
                             for key in ("model_s", "first_s", "later_s", "median_ms")} if ok else {}
            said[variant] |= {"peak": max((run.peak_bytes or 0 for run in ok), default=None),
                              "results": ok[0].last()["results"] if ok else None, "outcome": f"{len(ok)} of {len(done)} ok"}
        plain, expandable = said["backend:cudaMallocAsync"], said["expandable_segments"]
        for variant, one in said.items():
            table.row(program, variant, one["outcome"], one.get("model_s"), one.get("first_s"),
                      ratio(one.get("first_s"), plain.get("first_s")), one.get("later_s"),
                      ratio(one.get("later_s"), plain.get("later_s")), ratio(one.get("later_s"), expandable.get("later_s")),
                      one.get("median_ms"), mib(one["peak"]),
                      one["results"] and ("yes" if one["results"] == said["native caching"]["results"] else "no"))
        for variant, one in said.items():
            session.say(f"    {program}, {variant}: first {one.get('first_s')} s, later {one.get('later_s')} s, peak "
                        f"{mib(one['peak'])} MiB")
