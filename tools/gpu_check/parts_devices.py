"""The part about two devices: copies and access between them, collectives and training steps on two ranks."""

import statistics

from .session import mib, ratio

TRAINED = {  # allocator: settings, and whether it runs under the library too
    "native caching": ({}, True),
    "expandable_segments": ({"PYTORCH_ALLOC_CONF": "expandable_segments:True"}, False),
    "backend:cudaMallocAsync": ({"PYTORCH_ALLOC_CONF": "backend:cudaMallocAsync"}, True),
}
MORE = ("Peer access holds for memory of both kinds of call under gmlake (docs/interposition.md): what is allowed there and "
        "refused natively is no problem.")
LEAST_BANDWIDTH = 0.98  # of native's, in the mean of all; of one collective in the mean of six ways:
LEAST_OF_ONE = 0.92


def devices(session, programs):
    extra = {"SIMCUDA_DEVICES": "2", "SIMCUDA_MEMORY": "4GiB"} if session.simulated else {}
    program = programs.path("two_devices")
    if session.run("two devices", program, "unequal", quiet=True, **extra).status == 3:
        session.problem("there are no two devices")
        return
    same_lines(session, extra)
    answers(session, program, extra)
    if not session.simulated:
        collectives(session)
        training(session)


def same_lines(session, extra):
    """A client that copies, sets and opens memory to the other device says what each call answers."""
    table = session.table("Two devices, line by line", "program", "native", "gmlake", note="Only the lines that differ.")
    native, served = session.both("devices", session.test("devices_shared"), quiet=True, **extra)
    a, b = native.out.splitlines(), served.out.splitlines()
    different = [(one, other) for one, other in zip(a, b) if one != other]
    for one, other in different:
        table.row("devices", one, other)
    table.row("devices", f"{len(a)} lines, {native.outcome()}", f"{len(b)} lines, {served.outcome()}")
    if different or len(a) != len(b) or not a or native.status != served.status:
        session.problem(f"devices: {len(different)} lines differ; {native.outcome()} natively, {served.outcome()}")


def answers(session, program, extra):
    asked = [("copies", [["copies", str(kind), *peers] for kind in range(4) for peers in ([], ["peers"])]),
             ("access", [["access"]]), ("speed", [["speed"]]), ("unequal", [["unequal"]])]
    titles = {"copies": "Copies and sets of the other device's memory", "access": "Access for a peer",
              "speed": "Copies between devices", "unequal": "Two devices of unequal fill"}
    for subject, calls in asked:
        table = session.table(titles[subject], "question", "native", "gmlake", note=MORE if subject == "copies" else "")
        for call in calls:
            native, served = session.both(" ".join(call), program, *call, quiet=True, **extra)
            said = [{line["question"]: line["answer"] for line in run.lines()} for run in (native, served)]
            for question in {**said[0], **said[1]}:
                a, b = (one.get(question) for one in said)
                table.row(question, a, b)
                more = subject == "copies" and a != "CUDA_SUCCESS" == b
                if subject in ("copies", "unequal") and a != b and not more:
                    session.problem(f"{question}: {a} natively, {b} under gmlake")
            for run in (native, served):
                if not run.ok:
                    session.problem(f"{run.name}: {run.failure()[-300:]}")


def ranks(session, name, *arguments, preload=False, **settings):
    return session.run(name, session.machine.python, session.source / "tests" / "gpu" / "torch_ranks.py", *arguments,
                       preload=preload, timeout=60, python=True, PYTHONDONTWRITEBYTECODE="1",
                       CUBLAS_WORKSPACE_CONFIG=":4096:8", **settings)


def collectives(session):
    table = session.table("PyTorch: collectives of two ranks", "NCCL", "way", "outcome", "buffers", "collective", "right",
                          "GB/s", "GB/s / native", "stitches",
                          note="`scattered`: asked for once only pieces are free. `registered`: PyTorch registers its "
                               "segments with NCCL. `uncached`: each tensor is an allocation, so scattered buffers are "
                               "stitched. `mixed`: rank 1 runs without the library. A bandwidth differs by 8 % from one process to "
                               "the next, natively too: what counts is the mean of all ratios.")
    ratios = {}
    kinds = {"": {}, ", uncached": {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}, ", registered": {
        "TORCH_NCCL_USE_TENSOR_REGISTER_ALLOCATOR_HOOK": "1", "NCCL_LOCAL_REGISTER": "1"}}
    for kind, settings in kinds.items():
        for cumem in ("0", "1"):
            title = f"CUMEM={cumem}{kind}"
            # Without the library nobody can open what the emulated handles stand for (docs/ipc.md).
            mixed = not kind and cumem == "1"
            native, served, *_ = both = [Collectives(session, title, way, {"NCCL_CUMEM_ENABLE": cumem, **settings})
                                         for way in ("native", "gmlake", "mixed")[:3 if mixed else 2]]
            for one in [*both, native, served]:
                one.measure()
            for one in both:
                one.write(table, native)
            for name in served.speeds.keys() & native.speeds.keys():
                ratios.setdefault(name, []).append(ratio(served.speed(name), native.speed(name)))
            if kind == ", uncached" and not served.stitches:
                session.problem(f"collectives, {title}: no buffer was stitched")
    for name, each in ratios.items():
        mean = statistics.geometric_mean(each)
        table.row("all", "gmlake", "", *name.split(", "), "", None, mean)
        if mean < LEAST_OF_ONE:
            session.problem(f"collectives, {name}: {mean:.3f} of native's bandwidth in the mean, not {LEAST_OF_ONE}")
    if not ratios:
        return  # each run has said why
    mean = statistics.geometric_mean([one for each in ratios.values() for one in each])
    table.row("all", "gmlake", "", "all", "all", "", None, mean)
    if mean < LEAST_BANDWIDTH:
        session.problem(f"collectives: {mean:.3f} of native's bandwidth in the mean, not {LEAST_BANDWIDTH}")


class Collectives:
    """The collectives in one way, measured once or several times."""

    def __init__(self, session, title, way, settings):
        self.session, self.title, self.way, self.settings = session, title, way, settings
        self.speeds, self.right, self.outcome, self.stitches = {}, {}, "", None

    def measure(self):
        arguments = ["--phase", "collectives", "--steps", "20", *(["--plain-rank", "1"] if self.way == "mixed" else [])]
        run = ranks(self.session, f"collectives, {self.title}, {self.way}", *arguments, preload=self.way != "native",
                    **self.settings)
        self.outcome = run.outcome()
        if not run.ok:
            self.session.problem(f"collectives, {self.title}, {self.way}: {run.failure()[-300:]}")
            return
        said, self.stitches = run.last(), run.counters().get("stitches")
        for name, speed in said["GB/s"].items():
            self.speeds.setdefault(name, []).append(speed)
            right = all(one.get(name) for one in said["results"])
            self.right[name] = self.right.get(name, True) and right
            if not right:
                self.session.problem(f"collectives, {self.title}, {self.way}: {name} came out wrong")

    def speed(self, name):
        return statistics.median(self.speeds[name]) if name in self.speeds else None

    def write(self, table, native):
        if not self.speeds:
            table.row(self.title, self.way, self.outcome)
        for name in self.speeds:
            buffers, collective = name.split(", ")
            table.row(self.title, self.way, self.outcome, buffers, collective, "yes" if self.right[name] else "NO",
                      self.speed(name), ratio(self.speed(name), native.speed(name)), self.stitches)


def training(session):
    table = session.table("PyTorch: training steps of two ranks (DDP)", "allocator", "way", "outcome", "ms per step",
                          "peak MiB (NVML, device 0)", "most MiB in use after a step (each rank's device)",
                          "results same",
                          note="A peak differs by some percent from run to run, under any allocator. Where the least was not "
                               "gmlake's, that one and gmlake's were measured twice more: medians of three count.")
    steps = Training(session, table)
    for allocator, (_, both) in TRAINED.items():
        for way in ("native", "gmlake") if both else ("native",):
            steps.measure(allocator, way)
    best = {way: steps.least(way) for way in ("native", "gmlake")}
    if None in best.values() or steps.peak("gmlake", best["gmlake"]) <= steps.peak("native", best["native"]):
        return
    for way, allocator in [*best.items()] * 2:
        steps.measure(allocator, way)
    theirs, ours = (steps.peak(way, allocator) for way, allocator in best.items())
    if ours > theirs:
        session.problem(f"ddp: the least peak is {mib(ours)} MiB under gmlake, {mib(theirs)} natively")


class Training:
    """Training steps in each way; the results of the first run are what all others are to have."""

    def __init__(self, session, table):
        self.session, self.table = session, table
        self.results, self.peaks = None, {}

    def measure(self, allocator, way):
        settings = TRAINED[allocator][0]
        name = f"ddp, {allocator}, {way}"
        run = ranks(self.session, name, "--phase", "train", "--steps", "12", preload=way == "gmlake", **settings,
                    **({"PYTORCH_CUDA_ALLOC_CONF": settings["PYTORCH_ALLOC_CONF"]} if settings else {}))
        said = run.last() if run.ok else {}
        self.results = self.results or said.get("results")
        same = run.ok and said.get("results") == self.results
        self.table.row(allocator, way, run.outcome(), said.get("ms_per_step"), mib(run.peak_bytes), said.get("peak_mib"),
                       "yes" if same else "NO")
        if not same:
            self.session.problem(f"{name}: {'other results' if run.ok else run.failure()[-300:]}")
        elif run.peak_bytes:
            self.peaks.setdefault((way, allocator), []).append(run.peak_bytes)

    def peak(self, way, allocator):
        return statistics.median(self.peaks[way, allocator])

    def least(self, way):
        return min((allocator for one, allocator in self.peaks if one == way), key=lambda a: self.peak(way, a), default=None)
