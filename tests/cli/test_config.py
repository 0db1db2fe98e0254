"""`gmlake config`: shows, checks and generates."""
import json
import os
import tempfile
import unittest

from cli import SOURCE, gmlake


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return file.read()


class Config(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, text):
        path = os.path.join(self.folder.name, "c.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_show_says_where_each_value_came_from(self):
        path = self.file('{"pool": {"max_bytes": "1GiB"}, "log": {"level": "info"}}')
        done = gmlake("config", "show", "--config", path, GMLAKE_LOG_LEVEL="debug")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(["pool.max_bytes", "1GiB", path], lines)
        self.assertIn(["log.level", "debug", "GMLAKE_LOG_LEVEL"], lines)
        self.assertIn(["pool.chunk_size", "2MiB", "built-in"], lines)
        options = sum(len(section) for section in json.loads(read("config/default.json")).values())
        self.assertEqual(len(lines), options)

    def test_show_reads_the_file_of_the_environment(self):
        path = self.file('{"pool": {"max_bytes": "1GiB"}}')
        self.assertIn(path, gmlake("config", "show", GMLAKE_CONFIG=path).stdout)

    def test_the_systems_file_comes_before_the_users(self):
        system, user = self.file('{"pool": {"max_bytes": "1GiB", "max_share": 0.5}}'), os.path.join(self.folder.name, "user.json")
        with open(user, "w", encoding="utf-8") as file:
            file.write('{"pool": {"max_bytes": "2GiB"}}')
        done = gmlake("config", "show", GMLAKE_SYSTEM_CONFIG=system, GMLAKE_CONFIG=user, GMLAKE_LOG_LEVEL="info")
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertIn(["pool.max_bytes", "2GiB", user], lines)
        self.assertIn(["pool.max_share", "0.5", system], lines)
        self.assertIn(["log.level", "info", "GMLAKE_LOG_LEVEL"], lines)
        checked = gmlake("config", "check", user, GMLAKE_SYSTEM_CONFIG="/no/such/file")  # for itself
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_a_problem_in_the_systems_file(self):
        path = self.file('{"pool": {"max_bites": 1}}')
        done = gmlake("config", "check", GMLAKE_SYSTEM_CONFIG=path)
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{path}:1:11: pool.max_bites: is no option", done.stderr)
        self.assertIn("set GMLAKE_SYSTEM_CONFIG to a JSON file", gmlake("config", "check", GMLAKE_SYSTEM_CONFIG="/no/such/file").stderr)
        self.assertEqual(gmlake("config", "check", GMLAKE_SYSTEM_CONFIG="").returncode, 0)

    def test_show_json_is_a_configuration_file(self):
        shown = gmlake("config", "show", "--json", GMLAKE_POOL_MAX_BYTES="1536KiB").stdout
        self.assertEqual(json.loads(shown)["pool"]["max_bytes"], "1536KiB")
        path = self.file(shown)
        self.assertEqual(gmlake("config", "check", path).returncode, 0)
        self.assertEqual(gmlake("config", "show", "--json", "--config", path).stdout, shown)

    def test_show_defaults_ignores_file_and_environment(self):
        done = gmlake("config", "show", "--defaults", GMLAKE_LOG_LEVEL="nonsense", GMLAKE_CONFIG="/no/such/file")
        self.assertEqual((done.returncode, done.stdout), (0, read("config/default.json")))

    def test_show_with_problems(self):
        done = gmlake("config", "show", GMLAKE_LOG_LEVEL="nonsense")
        self.assertEqual(done.returncode, 78)
        self.assertIn("GMLAKE_LOG_LEVEL: log.level: ", done.stderr)

    def test_schema(self):
        done = gmlake("config", "schema")
        self.assertEqual((done.returncode, done.stdout), (0, read("config/gmlake.schema.json")))

    def test_markdown(self):
        done = gmlake("config", "show", "--markdown")
        self.assertEqual(done.returncode, 0)
        self.assertIn(done.stdout, read("docs/configuration.md"))

    def test_check_of_a_good_file(self):
        path = os.path.join(SOURCE, "config/default.json")
        done = gmlake("config", "check", path)
        self.assertEqual((done.returncode, done.stderr, done.stdout),
                         (0, "", f"{path}: the configuration is fine\n"))

    def test_check_of_a_bad_file_prints_every_problem(self):
        path = self.file('{\n  "pool": {"enabled": 1},\n  "lgo": {}\n}')
        done = gmlake("config", "check", path)
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertEqual(done.stderr.splitlines(), [
            "gmlake: config: the configuration has 2 problems:",
            f"  {path}:2:12: pool.enabled: is a number (1), not a flag; give true or false",
            f'  {path}:3:3: lgo: is no section; did you mean "log"?',
        ])

    def test_check_of_a_file_is_about_the_file_only(self):
        self.assertEqual(gmlake("config", "check", self.file("{}"), GMLAKE_LOG_LEVEL="nonsense").returncode, 0)

    def test_check_of_the_environment(self):
        self.assertEqual(gmlake("config", "check").returncode, 0)
        self.assertEqual(gmlake("config", "check", GMLAKE_LOG_LEVEL="nonsense").returncode, 78)
        self.assertEqual(gmlake("config", "check", GMLAKE_CONFIG="/no/such/file").returncode, 78)

    def test_wrong_command_lines(self):
        for arguments in (["config"], ["config", "chekc"], ["config", "show", "--defaults", "--markdown"],
                          ["config", "check", "a", "b"], ["config", "show", "--config"]):
            self.assertEqual(gmlake(*arguments).returncode, 64, arguments)


if __name__ == "__main__":
    unittest.main()
