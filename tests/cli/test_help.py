"""Help, version, and words gmlake does not know."""
import re
import unittest

from cli import gmlake


def commands(*path):
    """The subcommands that help lists, each as the words that reach it; read from the help, so new ones are met too."""
    text = gmlake(*path, "--help").stdout
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    found = []
    for name in re.findall(r"^  ([a-z]+)", listed.group(1), re.MULTILINE) if listed else []:
        found.append((*path, name))
        found.extend(commands(*path, name))
    return found


class Help(unittest.TestCase):
    def test_every_command_has_an_example_and_its_exit_codes(self):
        found = commands()
        for expected in [("run",), ("config",), ("config", "show"), ("config", "check"), ("config", "schema")]:
            self.assertIn(expected, found)
        for command in [(), *found]:
            with self.subTest(command=command):
                done = gmlake(*command, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertRegex(done.stdout, r"Examples?:\n  \S+")
                self.assertIn("Exit codes: ", done.stdout)

    def test_help_is_a_word_too(self):
        for command in ((), ("run",), ("config", "show")):
            self.assertEqual(gmlake("help", *command).stdout, gmlake(*command, "--help").stdout)

    def test_version(self):
        done = gmlake("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^gmlake \d+\.\d+\.\d+ \(\S+\)\n$")

    def test_no_command(self):
        done = gmlake()
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("A subcommand is required", done.stderr)

    def test_unknown_command(self):
        done = gmlake("rnu", "--", "x")
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertEqual(done.stderr, 'gmlake: there is no command "rnu"; did you mean "run"?\n')

    def test_unknown_option(self):
        done = gmlake("--bogus", "config", "schema")
        self.assertEqual(done.returncode, 64)
        self.assertIn("--bogus", done.stderr)


if __name__ == "__main__":
    unittest.main()
