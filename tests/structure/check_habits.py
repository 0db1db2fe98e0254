"""Each habit of docs/observability.md's table names a test that there is, and that runs the command beside it."""

import ast
import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (?P<habit>.+) \| (?P<here>.+) \| `(?P<script>[\w/]+\.py)` (?P<case>\w+)\.(?P<test>\w+) \|$")
# What of a command its test has to say, where that is not the command's own words.
WORDS = {"the report at exit": "GMLAKE_STATS_REPORT", "stats.sample_bytes": "GMLAKE_STATS_REPORT", "gmlake_annotate": "weights"}


def text_of(script, case, test):
    """The script that has the test; None if there is no such test."""
    text = script.read_text()
    classes = {one.name: one for one in ast.parse(text).body if isinstance(one, ast.ClassDef)}
    if case not in classes or test not in {f.name for f in classes[case].body if isinstance(f, ast.FunctionDef)}:
        return None
    return text


def problems(page):
    rows = [line for line in page.split("\n## What others have\n", 1)[1].split("\n## ", 1)[0].splitlines() if line.startswith("| ")][2:]
    if len(rows) < 20:
        yield f"only {len(rows)} habits"
    for row in rows:
        match = ROW.match(row)
        script = match and SOURCE / "tests" / match["script"]
        if not match or not script.exists():
            yield f"no test is named: {row}"
            continue
        text = text_of(script, match["case"], match["test"])
        if text is None:
            yield f"there is no such test: {row}"
            continue
        command = re.search(r"`gmlake (\w+)(?: (\w+))?", match["here"])
        wanted = command[1] if command and command[1] != "run" else next((w for k, w in WORDS.items() if k in match["here"]), "run")
        if wanted not in text:
            yield f"{match['script']} does not run it: {row}"


def main():
    page = (SOURCE / "docs" / "observability.md").read_text()
    found = list(problems(page))
    # The check itself: a row whose test is gone must be noticed.
    if not list(problems(page.replace("Terminal.test_top |", "Terminal.test_gone |"))):
        found.append("a test that is not there goes unnoticed")
    print("\n".join(found) or "each habit has its test")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
