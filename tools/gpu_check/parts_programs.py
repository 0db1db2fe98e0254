"""The parts that run ordinary programs natively and under the library and compare: clients and the demo."""

import statistics

from .session import load_json, mib, ratio

WORKLOAD = ["--model", "gpt2-medium", "--sequence", "512", "--batch", "2", "--iterations", "3", "--recompute", "full",
            "--variable-sequence", "random"]
SMALL_WORKLOAD = ["--model", "tiny", "--iterations", "2", "--variable-sequence", "random"]
REPLAY_CLIENTS = {
    "replay_client_shared": {}, "replay_client_static_toolkit": {}, "replay_client_shared_per_thread": {},
    "replay_client_driver": {}, "replay_client_dlopen (dlsym)": {"CLIENT_RESOLVE": "dlsym"},
    "replay_client_dlopen (getproc)": {"CLIENT_RESOLVE": "getproc"}}


def generate(session, workload):
    trace = session.work / f"{session.part}.csv"
    run = session.run("trace generate", session.build / "bin" / "gmlake", "trace", "generate", *workload, "--output",
                      trace, quiet=True)
    if not run.ok:
        session.problem("no trace could be generated")
    return trace


def clients(session, programs):
    replays(session)
    misuse(session)
    exits(session)
    hits(session)
    if not session.simulated:
        thrust(session, programs)


def replays(session):
    trace = generate(session, SMALL_WORKLOAD if session.simulated else WORKLOAD)
    table = session.table(
        "Replay clients", "client", "calls", "way", "outcome", "mismatches", "operations", "peak live MiB",
        "peak used MiB (cudaMemGetInfo)", "peak MiB (NVML)", "in allocation calls s", "wall s", "pool: native", "stitches",
        "growths", "driver calls")
    replay_clients = dict(REPLAY_CLIENTS)
    if session.simulated:
        replay_clients["replay_client_static"] = replay_clients.pop("replay_client_static_toolkit")
    for client, settings in replay_clients.items():
        for api in ("async", "malloc"):
            said = {}
            for way in ("native", "gmlake"):
                out = session.work / f"{client.split()[0]}-{api}-{way}.json"
                out.unlink(missing_ok=True)
                run = session.run(f"{client}, {api}, {way}", session.test(client.split()[0]), "--api", api, "--touch",
                                  "pages", "--json", out, trace, preload=way == "gmlake", quiet=True, **settings)
                said[way] = client_said = load_json(out)
                counters = run.counters()
                calls = sum(c["calls"] for c in run.report["total"]["driver_calls"].values()) if run.report else None
                table.row(client, api, way, run.outcome(), client_said.get("mismatches"), client_said.get("operations"),
                          mib(client_said.get("peak_live_bytes")), mib(client_said.get("peak_used_bytes")), mib(run.peak_bytes),
                          client_said.get("allocation_seconds"), client_said.get("wall_seconds"),
                          counters.get("native_allocations"), counters.get("stitches"), counters.get("growths"), calls)
                if not run.ok or client_said.get("mismatches") != 0 or not client_said.get("pattern_bytes"):
                    session.problem(f"{run.name} did not keep its pattern: {run.failure()[:300]}")
                if way == "gmlake" and counters.get("allocations", 0) * 2 != client_said.get("operations"):
                    session.problem(f"{run.name}: {client_said.get('operations')} operations, but the pool served "
                                    f"{counters.get('allocations')} allocations")
            a, b = (said[way].get("allocation_seconds") for way in ("native", "gmlake"))
            if a and b:
                session.say(f"  {client}, {api}: both ran; time in allocation calls native {a:.4f} s, gmlake {b:.4f} s")


def misuse(session):
    table = session.table("Misuse, line by line", "program", "native", "gmlake",
                          note="Only the lines that differ; none is best.")
    for program in ("misuse_shared", "misuse_driver"):
        native, served = session.both(program, session.test(program), quiet=True)
        a, b = native.out.splitlines(), served.out.splitlines()
        for one, other in zip(a, b):
            if one != other:
                table.row(program, one, other)
                session.say(f"  {program} differs: {one!r} natively, {other!r} under gmlake")
        if len(a) != len(b) or not a or native.status != served.status:
            session.problem(f"{program}: {len(a)} lines and {native.outcome()} natively, {len(b)} and {served.outcome()}")
        table.row(program, f"{len(a)} lines, {native.outcome()}", f"{len(b)} lines, {served.outcome()}")


def exits(session):
    table = session.table("Untidy ends", "program", "way", "native", "gmlake")
    for program in ("leaky_exit_shared", "leaky_exit_driver"):
        for way in ("live", "destructor", "thread", "quick", "fork", "exec"):
            if not session.test(program).exists():
                continue
            native, served = session.both(f"{program} {way}", session.test(program), way, quiet=True, timeout=60)
            table.row(program, way, native.outcome(), served.outcome())
            if native.status != served.status:
                session.problem(f"{program} {way}: {native.outcome()} natively, {served.outcome()} under gmlake")


def hits(session):
    table = session.table(
        "Hit pairs in nanoseconds (median of three runs, turn about)", "calls", "bytes", "native", "gmlake",
        "gmlake, driver door only", "malloc+free of 64 bytes", "native / gmlake")
    pairs = {"async": 20000, "malloc": 2000}
    for api, bytes_each in [("async", 4 << 20), ("malloc", 4 << 20), ("async", 3000), ("malloc", 3000),
                            ("async", 512 << 20), ("malloc", 512 << 20)]:
        times = {"native": [], "gmlake": [], "driver door": [], "host": []}
        for _ in range(3):
            for way, preload, count, settings in [
                    ("native", False, pairs[api] // (10 if session.simulated else 1), {}), ("gmlake", True, 200000, {}),
                    ("driver door", True, 20000, {"GMLAKE_HOOKS_RUNTIME": "false"})]:
                run = session.run(f"hit_loop {api} {bytes_each} {way}", session.test("hit_loop"), "--api", api, "--bytes",
                                  bytes_each, count, preload=preload, quiet=True, timeout=60, **settings)
                if run.ok:
                    times[way].append(run.last()["device_pair_ns"])
                    times["host"].append(run.last()["malloc_pair_ns"])
                else:
                    session.problem(f"{run.name} failed")
        native, served, driver, host = (statistics.median(t) if t else None for t in times.values())
        name = "cudaMallocAsync+cudaFreeAsync" if api == "async" else "cudaMalloc+cudaFree"
        table.row(name, bytes_each, native, served, driver, host, ratio(native, served))
        if native and served:
            session.say(f"  {name} of {bytes_each}: native {native:.0f} ns, gmlake {served:.0f} ns (driver door "
                        f"{driver or 0:.0f}), native/gmlake {native / served:.2f}")


def thrust(session, programs):
    runs = session.both("thrust_sort", programs.path("thrust_sort"), "--iterations", 150, timeout=120)
    table = session.table("Thrust sort loop", "way", "outcome", "checksum", "ms per iteration", "peak MiB (NVML)",
                          "pool: peak physical MiB", "pool: allocations", "stitches")
    for way, run in zip(("native", "gmlake"), runs):
        table.row(way, run.outcome(), run.last().get("checksum"), run.last().get("ms_per_iteration"), mib(run.peak_bytes),
                  mib(run.counters().get("peak_physical_bytes")), run.counters().get("allocations"),
                  run.counters().get("stitches"))
        session.say(f"  thrust {way}: {run.last()}")
    if not all(run.ok for run in runs) or len({run.last().get("checksum") for run in runs}) != 1:
        session.problem("thrust_sort does not give the same result natively and under gmlake")


def demo(session, programs):
    """tools/demo after its build: it wants a configured tree, which a tree carried here may no longer be."""
    build = session.build
    if not session.simulated and session.machine.cudart:
        build = session.work / "tree"
        build.mkdir()
        for name in ("bin", "lib", "tests"):
            (build / name).symlink_to(session.build / name)
        (build / "CMakeCache.txt").write_text(f"GMLAKE_CUDA_INCLUDE:PATH={session.machine.cudart.parent / 'include'}\n")
    arguments = ["--simulated"] if session.simulated else []
    table = session.table("tools/demo", "calls", "outcome", "output")
    for api in ("async", "malloc"):
        run = session.run(f"demo, {api}", session.machine.python, session.source / "tools" / "demo.py", "--build", build,
                          "--api", api, *arguments, timeout=180, cwd=session.source)
        print("    " + run.out[:4500].replace("\n", "\n    "), flush=True)
        table.row(api, run.outcome(), "<pre>" + run.out.replace("\n", "<br>") + "</pre>")
        if not run.ok:
            session.problem(f"the demo with {api}: {run.failure()[-400:]}")
