"""The results as one JSON document and one Markdown page."""

import json

SIMULATED = "**Simulated dry run on simcuda: no figure here says anything about a GPU.**"


def document(machine, command, date, revision, session, parts):
    return {"format": "gmlake-gpu-check", "version": 1, "simulated": machine["simulated"], "date": date, "command": command,
            "gmlake": revision, "machine": machine, "parts": parts, "problems": session.problems,
            "tables": [{"part": part, "title": t.title, "head": t.head, "rows": t.rows, "note": t.note}
                       for part, t in session.part_tables],
            "runs": [run.document() for run in session.runs]}


def merged(documents):
    """One document of several; of a part that is in more than one, the last counts."""
    out = dict(documents[-1])
    last = {part["part"]: i for i, one in enumerate(documents) for part in one["parts"]}

    def kept(key, part_of):
        return [item for i, one in enumerate(documents) for item in one[key] if last.get(part_of(item)) == i]

    out |= {"command": "; ".join(dict.fromkeys(one["command"] for one in documents)),
            "date": ", ".join(dict.fromkeys(one["date"] for one in documents)),
            "gmlake": ", ".join(dict.fromkeys(one["gmlake"] for one in documents)),
            "parts": kept("parts", lambda part: part["part"]), "tables": kept("tables", lambda table: table["part"]),
            "problems": kept("problems", lambda text: text.split(":")[0]),
            "runs": kept("runs", lambda run: run["name"].split("/")[0])}
    return out


def into_page(page, results):
    """Puts the results between the markers of a page, with its headings a level lower."""
    begin, end = "<!-- results -->", "<!-- /results -->"
    before, _, rest = page.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page} has no {begin} and {end}")
    lines = markdown(results).splitlines()[2:]
    text = "\n".join("#" + line if line.startswith("##") else line for line in lines)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def markdown(results):
    machine = results["machine"]
    lines = ["# What a real device does", ""]
    if results["simulated"]:
        lines += [SIMULATED, ""]
    lines += ["| | |", "| --- | --- |"]
    for name, value in [("GPU", f"{machine['gpu']}, {machine['memory_mib']} MiB"), ("driver", machine["driver"]),
                        ("CUDA of the driver", machine["cuda_of_driver"]), ("toolkit", machine["toolkit"]),
                        ("Python packages", machine["packages"]), ("processor", f"{machine['cpu']}, {machine['cores']} cores"),
                        ("kernel", machine["kernel"]), ("gmlake", results["gmlake"]), ("date", results["date"]),
                        ("command", f"`{results['command']}`")]:
        lines.append(f"| {name} | {cell(value)} |")
    lines += ["", "## Parts", "", "| part | outcome | seconds |", "| --- | --- | --- |"]
    lines += [f"| {p['part']} | {cell(p['outcome'])} | {p['seconds']} |" for p in results["parts"]]
    lines += ["", "## Problems", ""]
    lines += [f"- {cell(p)}" for p in results["problems"]] or ["None."]
    part = None
    for table in results["tables"]:
        if table["part"] != part:
            part = table["part"]
            lines += ["", f"## {part}"]
        lines += ["", f"### {table['title']}", ""]
        if table["note"]:
            lines += [table["note"], ""]
        if not table["rows"]:
            lines.append("None.")
            continue
        lines += ["| " + " | ".join(map(cell, table["head"])) + " |", "|" + " --- |" * len(table["head"])]
        lines += ["| " + " | ".join(map(cell, row)) + " |" for row in table["rows"]]
    return "\n".join(lines) + "\n"


def write(folder, results):
    (folder / "gpu-check.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "gpu-check.md").write_text(markdown(results))
