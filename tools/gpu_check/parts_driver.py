"""The parts that question the driver: what really happens, which doors lead where, coherence, costs, kernel speed."""

import json
from collections import Counter

from .session import load_json


def what_happens(session, programs):
    run = session.run("probes", programs.path("what_happens"), timeout=240)
    if not run.ok:
        session.problem("what_happens did not end well")
    answers = run.lines()
    for answer in answers:
        if answer.get("result") in ("failed", "crashed", "hung", "wrong_bytes") and not session.simulated:
            session.problem(f"{answer['probe']}: {answer['result']} {answer['detail']}")
    plain = session.table("What happens", "probe", "answer", "detail")
    attributes = session.table("Pointer attributes", "attribute", *(kinds := (
        "stitched", "in_reservation", "native", "native_small", "async")),
        note="An error's name where the driver gives one. `start` is the start of the block or reservation.")
    capture = session.table(
        "Calls that a stream capture does not tolerate", "mode and thread", "call", "answer", "capture afterwards",
        note="All other combinations of mode, thread and call succeed and leave the capture intact.")
    values = {}
    for answer in answers:
        subject, *rest = answer.get("probe", "").split("/", 1)
        if subject == "attribute":
            kind, name = rest[0].split("/")
            values.setdefault(name, {})[kind] = answer["detail"] or answer["result"]
        elif subject == "capture":
            if answer["result"] != "CUDA_SUCCESS" or "survives" not in answer["detail"]:
                where, _, call = rest[0].rpartition("/")
                capture.row(where, call, answer["result"], answer["detail"])
        else:
            plain.row(answer.get("probe"), answer.get("result"), answer.get("detail"))
    for name, by_kind in values.items():
        attributes.row(name, *(by_kind.get(kind) for kind in kinds))
    asked = sum(a.get("probe", "").startswith("capture/") for a in answers)
    session.say(f"  {len(answers)} answers, {asked} about captures of which {len(capture.rows)} refused or broken")


def doors(session, programs):
    run = session.run("pointers", programs.path("door_pointers"), timeout=60)
    table = session.table(
        "Pointers from cuGetProcAddress against dlsym", "symbol", "exported", "same pointer", "asked as", "others",
        note="`same pointer`: some question to cuGetProcAddress_v2 is answered with the address dlsym gives.")
    for line in run.lines():
        table.row(line["symbol"], "yes" if line["exported"] else "no", "yes" if line["same"] else "NO", line["asked"],
                  ", ".join(line["others"]))
        if line["exported"] and not line["same"]:
            session.problem(f"cuGetProcAddress never hands out dlsym's {line['symbol']}")
    session.say(f"  {sum(line['same'] for line in run.lines())} of {len(run.lines())} hooked names have one pointer")
    if session.simulated:  # no toolkit cudart works there: any client of simcuda's own shows that the tracer does
        trace = session.work / "tiny.csv"
        session.run("trace", session.build / "bin" / "gmlake", "trace", "generate", "--model", "tiny", "--iterations",
                    "1", "--output", trace, quiet=True)
        clients = {"static": [session.test("replay_client_static"), trace]}
    else:
        programs.prepare(["doors_client_shared", "doors_client_static", "tracer.so"])
        clients = {kind: [programs.path(f"doors_client_{kind}")] for kind in ("shared", "static")}
    calls, order = {}, []
    for kind, command in clients.items():
        log = session.work / f"doors-{kind}.json"
        run = session.run(f"traced, {kind} cudart", *command, LD_PRELOAD=programs.path("tracer.so"), TRACER_LOG=log)
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        asked = [line for line in lines if "asked" in line]
        other = [line["asked"] for line in asked if not line["same"]]
        session.say(f"  {kind}: {len(asked)} questions to cuGetProcAddress, {len(other)} answered with a pointer that is "
                    f"no exported function{': ' + ', '.join(sorted(set(other))[:12]) if other else ''}")
        if not asked:
            session.problem(f"the {kind} client asked cuGetProcAddress for nothing")
        summary = session.table(f"What the {kind} cudart asks cuGetProcAddress for", "questions", "by flags",
                                "answered with an exported function", "answered with another pointer")
        summary.row(len(asked), dict(Counter(line["flags"] for line in asked)), len(asked) - len(other),
                    ", ".join(sorted(set(other))[:80]) or "none")
        for line in lines:
            if "call" in line and line["call"] != "between":
                calls.setdefault(line["call"], {})[kind] = ", ".join(line["driver"][:40])
                if line["call"] not in order:
                    order.append(line["call"])
        session.runs[-1].report = None
    table = session.table("Driver calls behind each runtime call", "runtime call", *clients,
                          note="Those that go through cuGetProcAddress; a runtime also calls through cuGetExportTable.")
    for call in order:
        table.row(call, *(calls[call].get(kind, "") for kind in clients))


def coherence(session, programs):
    seconds = session.budget(40)
    run = session.run("kernels", programs.path("coherence"), "--seconds", seconds, timeout=seconds * 2 + 90)
    if not run.ok:
        session.problem("coherence: a byte was wrong, or the program failed")
    lines = [line for line in run.lines() if line.get("check") in ("concurrent", "ordered")]
    table = session.table(
        "One chunk through two addresses", "check", "part bytes", "access bytes", "rounds", "both kernels at once",
        "GB written", "mismatches", note="Each on 1, 4 and 100 chunks, with the window in the same and in reverse order.")
    kinds = {}
    for line in lines:
        kinds.setdefault((line["check"], line.get("part_bytes"), line["access_bytes"]), []).append(line)
    for kind, group in kinds.items():
        table.row(*kind, sum(g["rounds"] for g in group), sum(g.get("rounds_at_once", 0) for g in group) or None,
                  round(sum(g["bytes_written"] for g in group) / 1e9), sum(g["mismatches"] for g in group))
    concurrent = [line for line in lines if line["check"] == "concurrent"]
    rounds = sum(line["rounds"] for line in lines)
    at_once = sum(line["rounds_at_once"] for line in concurrent)
    session.say(f"  {len(lines)} combinations, {rounds} rounds, {at_once} of {sum(c['rounds'] for c in concurrent)} "
                f"concurrent ones at once, {sum(line['mismatches'] for line in lines)} mismatches")
    if not at_once:
        session.problem("coherence: the kernels never ran at once")


def costs(session, programs):
    out = session.work / "costs.json"
    seconds = session.budget(60)
    run = session.run("doctor", session.build / "bin" / "gmlake", "doctor", timeout=60,
                      GMLAKE_LIBRARY=session.build / "lib" / "libgmlake.so")
    if not run.ok:
        session.problem("gmlake doctor finds this machine wanting")
    session.table("gmlake doctor", "output").row(run.out.strip().replace("\n", "<br>"))
    # One long document, not a line: it goes to a file of its own.
    run = session.run("doctor --costs", "/bin/sh", "-c", '"$0" doctor --costs --json --seconds "$1" > "$2"',
                      session.build / "bin" / "gmlake", seconds, out, timeout=seconds + 120)
    document = load_json(out)
    if not run.ok or not document:
        session.problem("gmlake doctor --costs failed")
        return
    run.out = json.dumps(document)
    cost_tables(session, document["costs"])
    for text in document["left_out"]:
        session.say(f"  left out: {text}")


def cost_tables(session, costs):
    """The list as four tables; a cell is a median, with the 99th percentile where calls vary little else."""
    found = {(c["call"], c["threads"], c["handle_bytes"], c["handles"]): c for c in costs}

    def cell(call, threads, size, handles, tail=False):
        cost = found.get((call, threads, size, handles))
        return cost and f"{cost['median_us']:.2f}" + (f" ({cost['p99_us']:.2f})" if tail else "")

    def calls(wanted):
        return list(dict.fromkeys(c["call"] for c in costs if wanted(c)))

    def add(title, first, columns, rows):
        table = session.table(title, *first, *(head for head, _ in columns))
        for row, cells in rows:
            table.row(*row, *cells)
            if row[1:] in ([], [256]):  # the page has them all
                print("    " + " ".join(f"{c or '-':>{36 if i == 0 else 16}}" for i, c in enumerate([*row, *cells])), flush=True)

    threads = [(f"{t} thread{'s' * (t > 1)}", t) for t in (1, 2, 4)]
    sizes = [(f"{size >> 20} MiB", size) for size in sorted({c["handle_bytes"] for c in costs if c["handles"]})]
    native = sorted({c["handle_bytes"] for c in costs if c["handle_bytes"] and not c["handles"]})
    print("    microseconds: median (p99)")
    add("Calls without memory, microseconds: median (p99)", ["call"], threads,
        [([call], [cell(call, t, 0, 0, True) for _, t in threads]) for call in calls(lambda c: not c["handle_bytes"])])
    add("Native allocation, microseconds: median (p99)", ["call"],
        [(f"{size} B" if size < 1 << 20 else f"{size >> 20} MiB", size) for size in native],
        [([call], [cell(call, 1, size, 0, True) for size in native])
         for call in calls(lambda c: c["handle_bytes"] and not c["handles"])])
    ranges = calls(lambda c: c["handles"])
    add("Memory calls by handle size and count, one thread, microseconds: median", ["call", "handles"], sizes,
        [([call, count], [cell(call, 1, size, count) for _, size in sizes])
         for call in ranges for count in sorted({c["handles"] for c in costs if c["handles"]})])
    add("Memory calls on several threads at once, 256 handles, microseconds: median (p99)", ["call", "handle"], threads,
        [([call, f"{size >> 20} MiB"], [cell(call, t, size, 256, True) for _, t in threads])
         for call in ranges for size in (2 << 20, 32 << 20)])


def kernel_speed(session, programs):
    repeats = 21 if session.seconds is None or session.seconds >= 30 else 7
    run = session.run("kernels", programs.path("kernel_speed"), "--repeats", repeats, timeout=180)
    if not run.ok:
        session.problem("kernel_speed failed")
    table = session.table("Kernels on memory of several handles", "test", "memory", "median ms", "rate", "unit",
                          "time / native")
    for line in run.lines():
        table.row(line["test"], line["memory"], line.get("median_ms"), line.get("rate"), line.get("unit"),
                  line.get("time_to_native", line.get("error")))
        print(f"    {line['test']:30} {line['memory']:14} {line.get('rate', 0):12.1f} {line.get('unit', ''):8} "
              f"{line.get('time_to_native', line.get('error'))}", flush=True)
