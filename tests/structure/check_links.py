"""The pages' links to each other: the file is there, and the heading."""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
PAGES = [*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md")]


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def wrong(page, target, anchors):
    path, _, part = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.exists():
        return f"{page.relative_to(SOURCE)}: {target}: no such file"
    if part and there in anchors and part not in anchors[there]:
        return f"{page.relative_to(SOURCE)}: {target}: no such heading"
    return None


def main():
    texts = {page: page.read_text() for page in PAGES}
    anchors = {page: {anchor(h) for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)} for page, text in texts.items()}
    links = [(page, target) for page, text in texts.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)
             if not target.startswith(("http:", "https:", "mailto:"))]
    problems = [problem for page, target in links if (problem := wrong(page, target, anchors))]
    print("\n".join(problems) if problems else f"{len(links)} links on {len(PAGES)} pages lead somewhere")
    return 1 if problems or not links else 0


if __name__ == "__main__":
    sys.exit(main())
