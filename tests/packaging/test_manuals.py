"""The manual pages are well formed, and have every command with its options and every option with its default."""

import json
import re

import installed
from installed import harness, succeed


def commands(*path):
    """What help knows: each command and the names of its options."""
    text = succeed(harness.GMLAKE, *path, "--help")
    yield path, re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.MULTILINE)
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    for name in re.findall(r"^  ([a-z]+)", listed.group(1), re.MULTILINE) if listed else []:
        yield from commands(*path, name)


def shown(page):
    """As its reader sees it, without overstrikes."""
    return re.sub(".\b", "", succeed("mandoc", "-Tutf8", "-Owidth=200", page)).replace("\N{HYPHEN}", "-")


class Manuals(harness.Case):
    def setUp(self):
        super().setUp()
        installed.install(self.folder)
        self.command = self.folder / "share/man/man1/gmlake.1"
        self.file = self.folder / "share/man/man5/gmlake.json.5"

    def test_well_formed(self):
        for page in (self.command, self.file):
            self.assertEqual(succeed("mandoc", "-Tlint", "-Wwarning", page), "")

    def test_every_command_and_its_options(self):
        text = shown(self.command)
        for path, options in commands():
            self.assertGreater(len(options), 0)
            section = text if not path else text.split(f"\n   gmlake {' '.join(path)}\n")[1].split("\n   gmlake ")[0]
            for option in options:
                self.assertRegex(section, rf"(?m)^ +(-\w, )?{option}\b", f"{path} {option}")

    def test_every_option_of_the_file(self):
        text = shown(self.file)
        defaults = json.loads(succeed(harness.GMLAKE, "config", "show", "--defaults"))
        self.assertGreater(len(defaults), 5)
        for section, options in defaults.items():
            for key, value in options.items():
                entry = re.search(rf"(?s)\n +{section}\.{key}\n(.*?)(?=\n\n|\Z)", text)
                self.assertIsNotNone(entry, f"{section}.{key}")
                said = re.sub(r"\s+", " ", entry[1])
                self.assertIn(f"the default is {json.dumps(value)}.", said)
                self.assertIn(f"Variable: GMLAKE_{section}_{key}".upper()[9:], said)


if __name__ == "__main__":
    harness.main()
