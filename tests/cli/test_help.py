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
        self.assertEqual(done.stderr, 'gmlake: there is no command "rnu"; did you mean "run"?\nSee gmlake run --help.\n')

    def test_unknown_command_below_another(self):
        done = gmlake("config", "chekc", "x")
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertEqual(done.stderr, 'gmlake: config: there is no command "chekc"; did you mean "check"?\n'
                                      "See gmlake config check --help.\n")
        done = gmlake("trace", "pancake")
        self.assertEqual(done.returncode, 64)
        self.assertRegex(done.stderr, r'^gmlake: trace: there is no command "pancake"; there is: .*info.*\nSee gmlake trace --help.\n$')

    def test_unknown_option(self):
        done = gmlake("--bogus", "config", "schema")
        self.assertEqual(done.returncode, 64)
        self.assertIn("--bogus", done.stderr)
        for command, option, meant in ((("replay", "x.csv"), "--lop=3", "--loops"), (("run",), "--josn", "--json"),
                                       (("config", "show"), "--default", "--defaults"), (("trace", "info"), "--jsno", "--json"),
                                       (("top",), "--intervall", "--interval"), ((), "--versoin", "--version")):
            with self.subTest(option=option):
                done = gmlake(*command, option)
                path = [word for word in command if "." not in word]
                self.assertEqual((done.returncode, done.stdout), (64, ""))
                self.assertEqual(done.stderr, f"gmlake: {''.join(word + ': ' for word in path)}there is no option "
                                              f"{option.split('=')[0]}; did you mean {meant}?\n"
                                              f"See {' '.join(['gmlake', *path])} --help.\n")

    def test_a_wrong_value_names_the_help_of_its_command(self):
        done = gmlake("replay", "x.csv", "--loops", "0")
        self.assertEqual(done.returncode, 64)
        self.assertTrue(done.stderr.startswith("gmlake: replay: --loops: "), done.stderr)
        self.assertTrue(done.stderr.endswith("\nSee gmlake replay --help.\n"), done.stderr)

    def test_words_are_escaped(self):
        for words in (["\x1b[2Jx"], ["--\x1b[2J"], ["config", "check", "a", "\x9b2J"], ["replay", "\x1b[2J"]):
            done = gmlake(*words)
            self.assertNotEqual(done.returncode, 0)
            self.assertNotRegex(done.stderr, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")


if __name__ == "__main__":
    unittest.main()
