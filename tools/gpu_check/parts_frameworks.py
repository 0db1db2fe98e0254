"""The parts that run Python frameworks natively and under the library: PyTorch, CuPy, JAX, and those that take gmlake as an allocator."""

from . import package
from .session import mib, ratio

TORCH_ALLOCATORS = {
    "native caching": {},
    "no caching": {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
    "backend:cudaMallocAsync": {"PYTORCH_CUDA_ALLOC_CONF": "backend:cudaMallocAsync",
                                "PYTORCH_ALLOC_CONF": "backend:cudaMallocAsync"},
    "expandable_segments": {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
                            "PYTORCH_ALLOC_CONF": "expandable_segments:True"},
}


def compare(session, script, title, what, variants, arguments=(), timeout=120):
    """Each variant natively and under the library; results are compared within a variant and against the first."""
    table = session.table(
        f"{title}: {what}", "allocator", "way", "outcome", "ms per step", "time / native", "peak MiB (NVML)",
        "peak / native", "peak MiB (its own count)", "results same", "pool: peak live MiB", "pool: peak physical MiB",
        "utilisation", "allocations", "stitches", "growths", "pool: native", "note")
    first = None
    for variant, settings in variants.items():
        native = None
        for way in ("native", "gmlake"):
            run = session.run(f"{what}, {variant}, {way}", session.machine.python,
                              session.source / "tests" / "gpu" / script, *arguments, preload=way == "gmlake",
                              timeout=timeout, python=True, CUBLAS_WORKSPACE_CONFIG=":4096:8",
                              PYTHONDONTWRITEBYTECODE="1", **settings)
            said, counters = run.last() if run.ok else {}, run.counters()
            results = said.get("results")
            first = first or results
            note = "" if run.ok else run.failure().splitlines()[-1][-300:]
            same = "" if not run.ok else "yes" if results == first else "NO"
            table.row(variant, way, run.outcome(), said.get("ms_per_step"),
                      ratio(said.get("ms_per_step"), native and native[0]), mib(run.peak_bytes),
                      ratio(run.peak_bytes, native and native[1]), said.get("peak_mib"), same,
                      mib(counters.get("peak_live_bytes")), mib(counters.get("peak_physical_bytes")),
                      run.report["total"]["utilization"] if run.report else None, counters.get("allocations"),
                      counters.get("stitches"), counters.get("growths"), counters.get("native_allocations"), note)
            session.say(f"    {said.get('ms_per_step')} ms per step, peak {mib(run.peak_bytes)} MiB, results same: {same or '-'}"
                        + (f"; pool {counters.get('allocations')} allocations, {counters.get('stitches')} stitches, "
                           f"{counters.get('growths')} growths" if counters else ""))
            if way == "native":
                native = (said.get("ms_per_step"), run.peak_bytes) if run.ok else None
            if not run.ok:
                only = way == "gmlake" and native
                session.problem(f"{title}, {what}, {variant}, {way}: fails{' under gmlake only' if only else ''}: {note}")
            if run.ok and results != first:
                session.problem(f"{title}, {what}, {variant}, {way}: other results than the first run: "
                                f"{str(results)[:200]} instead of {str(first)[:200]}")


def torch(session, programs):
    steps = 6 if session.seconds is None or session.seconds >= 200 else 3
    compare(session, "torch_steps.py", "PyTorch", "matrix products", TORCH_ALLOCATORS,
            ["--phase", "matmul", "--steps", steps * 10])
    compare(session, "torch_steps.py", "PyTorch", "training, fixed length", TORCH_ALLOCATORS,
            ["--phase", "train", "--steps", steps])
    compare(session, "torch_steps.py", "PyTorch", "training, variable length", TORCH_ALLOCATORS,
            ["--phase", "variable", "--steps", steps * 3])


def torch_answers(session, programs):
    """What PyTorch says about its memory and what must work, natively and under the library."""
    table = session.table("PyTorch: questions and habits", "allocator", "question", "native", "gmlake",
                          note="Only what differs, and how many were asked.")
    for allocator in ("native caching", "backend:cudaMallocAsync"):
        for subject in ("figures", "limits", "processes", "habits", "compiled"):
            native, served = session.both(f"{subject}, {allocator}", session.machine.python,
                                          session.source / "tests" / "gpu" / "torch_questions.py", subject, timeout=120, python=True,
                                          PYTHONDONTWRITEBYTECODE="1", **TORCH_ALLOCATORS[allocator])
            said = [{line["question"]: line for line in run.lines()} for run in (native, served)]
            for question in {**said[0], **said[1]}:
                a, b = (one.get(question, {}).get("answer") for one in said)
                fewer = said[0].get(question, {}).get("at_most") and b is not None and b <= a
                if a != b:
                    table.row(allocator, question, a, b)
                if a != b and not fewer:
                    session.problem(f"PyTorch, {allocator}: {question}: {a} natively, {b} under gmlake")
            table.row(allocator, f"{subject}: {len(said[0])} questions", native.outcome(), served.outcome())
            if not said[0]:
                session.problem(f"{native.name}: nothing was answered: {native.failure()[-300:]}")
            if native.status != served.status:
                session.problem(f"{served.name}: {native.outcome()} natively, {served.outcome()} under gmlake: {served.failure()[-300:]}")


def cupy(session, programs):
    variants = {"default pool": {"CHECK_ALLOCATOR": "pool"}, "cudaMalloc each": {"CHECK_ALLOCATOR": "none"},
                "MemoryAsyncPool": {"CHECK_ALLOCATOR": "async"}}
    compare(session, "cupy_steps.py", "CuPy", "steps", variants)


def jax(session, programs):
    variants = {"preallocating": {}, "growing": {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
                "platform": {"XLA_PYTHON_CLIENT_ALLOCATOR": "platform"},
                "cuda_async": {"TF_GPU_ALLOCATOR": "cuda_malloc_async", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}}
    compare(session, "jax_steps.py", "JAX", "steps", variants)


def allocators(session, programs):
    """CuPy, Numba and RMM with their own memory, with gmlake's, and under the library: the same answers, and memory that is given back."""
    table = session.table("gmlake as an allocator of CuPy, Numba and RMM", "framework", "way", "outcome", "answers as natively",
                          "peak MiB (NVML)", "gmlake's, while all lives, MiB", "and then")
    settings = {"PYTHONPATH": package.python_path(package.wheel(session.build, session.work), session.work), "GMLAKE_STATS_REPORT": "none",
                "PYTHONDONTWRITEBYTECODE": "1"}
    if (session.machine.toolkit / "nvvm").exists():  # what Numba compiles with, where no package brings it
        settings["CUDA_HOME"] = session.machine.toolkit
    for name in ("cupy", "numba", "rmm"):
        native = None
        for way in ("native", f"gmlake.{name}", "preloaded"):
            ours = way == f"gmlake.{name}"
            run = session.run(f"{name}, {way}", session.machine.python, session.source / "tests" / "gpu" / "other_frameworks.py",
                              "gmlake" if ours else "native", name, preload=way == "preloaded", python=True, **settings)
            said = run.last() if run.ok else {}
            native = native or said.get("answers")
            same = "" if not said else "yes" if said.get("answers") == native else "NO"
            served, left = (said.get(key) if ours else None for key in ("served", "left"))
            table.row(name, way, run.outcome(), same, mib(run.peak_bytes), mib(served), mib(left))
            if not said:
                session.problem(f"{run.name}: {run.failure()[-300:]}")
            elif same == "NO":
                session.problem(f"{run.name}: other answers than natively: {said.get('answers')} instead of {native}")
            elif ours and not served:
                session.problem(f"{run.name}: nothing of its memory is gmlake's")
            elif ours and left > served // 10:  # libraries may keep something
                session.problem(f"{run.name}: {left} of {served} bytes have not come back")
            elif way == "preloaded" and not run.counters().get("allocations"):
                session.problem(f"{run.name}: nothing was served")
