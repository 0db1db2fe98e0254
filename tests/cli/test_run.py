"""`gmlake run`: the program runs as if started without it, but with the library in front."""
import contextlib
import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from cli import GMLAKE, PROBE, STATIC, environment, gmlake

# Where the pool's picture goes unless the user has said so.
PICTURE = os.path.join(os.getcwd(), "gmlake-oom.%e.%p.json")
PICTURE_SET = f"GMLAKE_STATS_OOM_FILE={shlex.quote(PICTURE)} \\\n"

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"


def run(*arguments, **changes):
    return gmlake("run", *arguments, **{"GMLAKE_LIBRARY": PROBE, **changes})


class Program(unittest.TestCase):
    """What the program sees."""

    def seen(self, options, arguments=(), **changes):
        done = run(*options, sys.executable, "-c", SHOW, *arguments, **changes)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_arguments_arrive_as_they_are(self):
        arguments = ["a b", "", "--help", "-x", "--", "[a,b]", "%%", "'", '"', "$HOME", "*", "--dry-run", "\n", "é", "{}"]
        for options in ([], ["--"], ["--strict", "--"], ["--set", "log.level=info"], ["--set=log.level=info", "--"]):
            self.assertEqual(self.seen(options, arguments)[0], arguments, options)

    def test_library_is_loaded(self):
        self.assertEqual(self.seen([])[1]["GMLAKE_TEST_PROBE"], "loaded")

    def test_library_is_in_front_of_others(self):
        self.assertEqual(self.seen([], LD_PRELOAD="libm.so.6")[1]["LD_PRELOAD"], f"{PROBE}:libm.so.6")

    def test_library_is_there_once(self):
        for before in (PROBE, f"libm.so.6 {PROBE}", f"libm.so.6:{PROBE}:libdl.so.2"):
            self.assertEqual(self.seen([], LD_PRELOAD=before)[1]["LD_PRELOAD"], before)
        folder, name = os.path.split(PROBE)
        by_another_name = f"{folder}/../{os.path.basename(folder)}/{name}"
        self.assertEqual(self.seen([], LD_PRELOAD=by_another_name)[1]["LD_PRELOAD"], by_another_name)

    def test_nested_runs_add_it_once(self):
        done = run(GMLAKE, "run", "--", sys.executable, "-c", SHOW)
        self.assertEqual(json.loads(done.stdout)[1]["LD_PRELOAD"], PROBE, done.stderr)

    def test_options_become_variables(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "c.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write("{}")
            seen = self.seen(["--config", path, "--set", "pool.max_bytes=1GiB", "--set", "log.level=info",
                              "--no-stitch", "--strict", "--report", "/r-%p", "--json", "/j-%r"])[1]
        self.assertEqual({name: value for name, value in seen.items() if name.startswith("GMLAKE_")
                          and name not in ("GMLAKE_LIBRARY", "GMLAKE_TEST_PROBE", "GMLAKE_RUN")},
                         {"GMLAKE_CONFIG": path, "GMLAKE_STATS_OOM_FILE": PICTURE, "GMLAKE_POOL_MAX_BYTES": "1GiB", "GMLAKE_LOG_LEVEL": "info",
                          "GMLAKE_STITCH_ENABLED": "false", "GMLAKE_STRICT": "1", "GMLAKE_STATS_REPORT": "full",
                          "GMLAKE_STATS_FILE": "/r-%p", "GMLAKE_STATS_JSON_FILE": "/j-%r"})

    def test_names_count_from_the_current_folder(self):
        with tempfile.TemporaryDirectory(suffix="100%p") as folder:
            folder = os.path.realpath(folder)
            with open(os.path.join(folder, "c.json"), "w", encoding="utf-8") as file:
                file.write("{}")
            done = gmlake("run", "--config", "c.json", "--json", "out/%p.json", sys.executable, "-c", SHOW,
                          cwd=folder, GMLAKE_LIBRARY=PROBE)
            seen = json.loads(done.stdout)[1]
            self.assertEqual(seen["GMLAKE_CONFIG"], os.path.join(folder, "c.json"))
            self.assertEqual(seen["GMLAKE_STATS_JSON_FILE"], folder.replace("%", "%%") + "/out/%p.json")

    def test_set_wins_over_the_environment_and_the_last_wins(self):
        seen = self.seen(["--set", "log.level=info", "--set", "log.level=debug"], GMLAKE_LOG_LEVEL="error")[1]
        self.assertEqual(seen["GMLAKE_LOG_LEVEL"], "debug")

    def test_input_output_and_errors_are_the_programs(self):
        done = subprocess.run([GMLAKE, "run", "--", "sh", "-c", "cat; echo err >&2"], input="in", text=True,
                              env=environment(GMLAKE_LIBRARY=PROBE), capture_output=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("in", "err\n"))


class Parent(unittest.TestCase):
    """gmlake stays, unless it is told not to."""

    def parent_is_gmlake(self, *options):
        show = "import os; print(os.readlink(f'/proc/{os.getppid()}/exe'))"
        return os.path.realpath(run(*options, "--", sys.executable, "-c", show).stdout.strip()) == os.path.realpath(GMLAKE)

    def test_exec(self):
        self.assertTrue(self.parent_is_gmlake())
        self.assertFalse(self.parent_is_gmlake("--exec"))

    def test_signals_that_are_ignored_stay_so(self):
        show = "import signal; print([signal.getsignal(s) == signal.SIG_IGN for s in (signal.SIGHUP, signal.SIGCHLD)], signal.pthread_sigmask(0, []))"
        line = f"trap '' HUP; exec {shlex.quote(GMLAKE)} run -- {sys.executable} -c \"$0\""
        done = subprocess.run(["sh", "-c", line, show], env=environment(GMLAKE_LIBRARY=PROBE), text=True, capture_output=True,
                              timeout=60)
        self.assertEqual(done.stdout, "[True, False] set()\n", done.stderr)

    def test_the_end_of_a_pipe_is_seen_when_the_program_closes_it(self):
        with subprocess.Popen([GMLAKE, "run", "--", "sh", "-c", "exec >&-; read x"], env=environment(GMLAKE_LIBRARY=PROBE),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.read(), b"")
            self.assertIsNone(process.poll())
            process.stdin.close()
            process.wait(60)


class ExitStatus(unittest.TestCase):
    def test_of_the_program(self):
        for status in (0, 1, 64, 78, 255):
            self.assertEqual(run("--", "sh", "-c", f"exit {status}").returncode, status)

    def test_of_a_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT):
            self.assertEqual(run("--", "sh", "-c", f"kill -{number.value} $$").returncode, -number)

    def test_of_a_signal_as_the_shell_sees_it(self):
        line = f'{shlex.quote(GMLAKE)} run -- sh -c \'kill -TERM $$\' ; echo "status $?"'
        done = subprocess.run(["sh", "-c", line], env=environment(GMLAKE_LIBRARY=PROBE), text=True,
                              capture_output=True, timeout=60)
        self.assertIn(f"status {128 + signal.SIGTERM}", done.stdout)

    def test_signals_sent_to_gmlake_reach_the_program(self):
        with subprocess.Popen([GMLAKE, "run", "--", "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do read x; done"],
                              env=environment(GMLAKE_LIBRARY=PROBE), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGTERM)
            process.stdin.write("\n")
            with contextlib.suppress(BrokenPipeError):  # it may have ended by the signal already
                process.stdin.close()
            self.assertEqual(process.wait(timeout=60), 9)

    def test_not_found(self):
        done = run("--", "gmlake-test-no-such-program")
        self.assertEqual(done.returncode, 127)
        self.assertIn("gmlake-test-no-such-program can not be started: No such file", done.stderr)

    def test_not_executable(self):
        done = run("--", os.path.abspath(__file__))
        self.assertEqual(done.returncode, 126)
        self.assertIn("can not be started: Permission denied", done.stderr)


class PathWithABlank(unittest.TestCase):
    """LD_PRELOAD is a list with blanks and colons between: a library whose path has them gets a link without."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = os.path.join(folder.name, "home")
        place = os.path.join(folder.name, "a b: c")
        for path in (self.home, place):
            os.mkdir(path)
        self.library = shutil.copy(PROBE, place)

    def preloaded(self, **changes):
        done = run("--library", self.library, "--", sys.executable, "-c", SHOW, HOME=self.home, **changes)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        seen = json.loads(done.stdout)[1]
        self.assertEqual(seen["GMLAKE_TEST_PROBE"], "loaded")
        self.assertEqual(os.readlink(seen["LD_PRELOAD"]), self.library)
        return seen["LD_PRELOAD"]

    def test_a_link_in_the_cache_folder(self):
        self.assertTrue(self.preloaded(XDG_CACHE_HOME="").startswith(f"{self.home}/.cache/gmlake/"))
        self.assertTrue(self.preloaded(XDG_CACHE_HOME=f"{self.home}/other").startswith(f"{self.home}/other/gmlake/"))

    def test_the_same_link_again_and_another_for_another(self):
        first = self.preloaded(XDG_CACHE_HOME="")
        self.assertEqual(self.preloaded(XDG_CACHE_HOME=""), first)
        self.library = shutil.copy(PROBE, os.path.join(os.path.dirname(self.library), "other"))
        self.assertNotEqual(os.path.dirname(self.preloaded(XDG_CACHE_HOME="")), os.path.dirname(first))

    def test_a_link_to_what_it_was_before(self):
        link = self.preloaded(XDG_CACHE_HOME="")
        os.unlink(link)
        os.symlink("/dev/null", link)
        self.assertEqual(self.preloaded(XDG_CACHE_HOME=""), link)

    def test_not_where_others_may_write(self):
        os.makedirs(f"{self.home}/.cache/gmlake")
        os.chmod(f"{self.home}/.cache/gmlake", 0o777)
        self.assertTrue(self.preloaded(XDG_CACHE_HOME="").startswith(f"/tmp/gmlake-{os.getuid()}/"))

    def test_a_home_with_a_blank(self):
        self.assertTrue(self.preloaded(XDG_CACHE_HOME="/tmp/a b").startswith(f"{self.home}/.cache/gmlake/"))


class Refusal(unittest.TestCase):
    """What stops a run before it begins."""

    def refused(self, status, *arguments, **changes):
        done = run(*arguments, "--", "echo", "started", **changes)
        self.assertEqual((done.returncode, done.stdout), (status, ""))
        return done.stderr

    def test_setting(self):
        said = self.refused(78, "--set", "pool.chunk_sise=2MiB")
        self.assertIn("--set pool.chunk_sise=2MiB: pool.chunk_sise: is no option; did you mean pool.chunk_size?", said)
        said = self.refused(78, "--set", "pool.chunk_size=2")
        self.assertIn("--set pool.chunk_size=2: pool.chunk_size: 2 is out of range", said)
        self.assertIn("has no value; write --set section.key=value", self.refused(78, "--set", "pool"))

    def test_all_problems_at_once(self):
        said = self.refused(78, "--set", "log.level=x", "--config", "/no/such/file", GMLAKE_POOL_ENABLED="maybe")
        self.assertIn("has 3 problems:", said)
        for part in ("--set log.level=x: ", "/no/such/file: ", "GMLAKE_POOL_ENABLED: "):
            self.assertIn("\n  " + part, said)

    def test_file_pattern(self):
        self.assertIn('--json: stats.json_file: "/%q" holds the unknown sequence', self.refused(78, "--json", "/%q"))

    def test_library(self):
        said = self.refused(69, "--library", "/no/such/libgmlake.so")
        self.assertIn("/no/such/libgmlake.so: No such file or directory; name libgmlake.so with --library", said)

    def test_library_that_is_not_ours(self):
        with tempfile.TemporaryDirectory() as folder:
            pipe, cut, text = (os.path.join(folder, name) for name in ("pipe", "cut", "text"))
            os.mkfifo(pipe)
            with open(PROBE, "rb") as whole, open(cut, "wb") as file:
                file.write(whole.read()[:4096])
            with open(text, "w", encoding="utf-8") as file:
                file.write("gmlake_version")
            for path in (pipe, cut, text, folder, "/dev/zero", STATIC, shutil.which("true"), GMLAKE):
                with self.subTest(path=path):
                    self.assertIn(f"{os.path.abspath(path)}: is no libgmlake.so of this machine; name libgmlake.so",
                                  self.refused(69, "--library", path))

    def test_without_a_current_folder(self):
        line = f'mkdir "$0" && cd "$0" && rmdir "$0" && exec {shlex.quote(GMLAKE)} run --json out.json -- echo started'
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["sh", "-c", line, os.path.join(folder, "gone")], text=True, capture_output=True,
                                  env=environment(GMLAKE_LIBRARY=PROBE), timeout=60)
        self.assertEqual((done.returncode, done.stdout), (70, ""))
        self.assertIn("No such file or directory", done.stderr)

    def test_an_option_is_no_value(self):
        for option in ("--report", "--json", "--config", "--library"):
            self.assertIn(f"{option} has no value: --strict is an option", self.refused(64, option, "--strict"))

    def test_command_line(self):
        self.assertEqual(gmlake("run").returncode, 64)
        self.assertIn("there is no program to run", gmlake("run", "--").stderr)
        self.assertIn("--bogus", self.refused(64, "--bogus"))
        self.assertEqual(run("--set").returncode, 64)


class Warnings(unittest.TestCase):
    """Programs the library can not get into run all the same."""

    def test_static_program(self):
        done = run("--", STATIC)
        self.assertEqual((done.returncode, done.stdout), (5, "static program ran\n"))
        self.assertEqual(done.stderr, f"gmlake: run: warning: {STATIC} runs without gmlake: it is statically linked, "
                                      "so the loader ignores LD_PRELOAD\n")

    def test_setuid_program(self):
        with tempfile.TemporaryDirectory() as folder:
            if os.getuid() == 0:  # root's own programs raise nothing for root
                program = shutil.copy("/bin/true", folder)
                os.chown(program, pwd.getpwnam("nobody").pw_uid, -1)
                os.chmod(program, 0o4755)
            else:
                program = shutil.which("su")
            done = run("--dry-run", "--", program)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"warning: {program} runs without gmlake: it is setuid", done.stderr)

    def test_ordinary_programs_and_scripts_are_not_warned_about(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "script")
            with open(script, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho $GMLAKE_TEST_PROBE\n")
            os.chmod(script, 0o755)
            done = run("--", script)
        self.assertEqual((done.stdout, done.stderr), ("loaded\n", ""))

    def test_another_copy(self):
        with tempfile.TemporaryDirectory() as folder:
            other = shutil.copy(PROBE, folder)
            done = run("--", "true", LD_PRELOAD=f"libm.so.6:{other}")
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"warning: LD_PRELOAD holds another copy of gmlake, {other}", done.stderr)

    def test_switched_off(self):
        done = run("--", "true", GMLAKE_DISABLE="1")
        self.assertEqual(done.returncode, 0)
        self.assertIn("GMLAKE_DISABLE is set", done.stderr)


class DryRun(unittest.TestCase):
    def test_no_picture_where_none_is_wanted(self):
        for arguments, variables in ((["--set", "stats.oom_file="], {}), ([], {"GMLAKE_STATS_OOM_FILE": ""}),
                                     ([], {"GMLAKE_STATS_OOM_FILE": "/mine"})):
            done = run(*arguments, "--dry-run", "--", "true", **variables)
            self.assertNotIn("gmlake-oom", done.stdout, (arguments, variables))

    def test_prints_and_does_not_start(self):
        done = run("--dry-run", "--set", "log.file=/a b/%p", "--", "./app", "it's", "", "x")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, f"GMLAKE_LOG_FILE='/a b/%p' \\\n{PICTURE_SET}LD_PRELOAD={PROBE} \\\n./app 'it'\\''s' '' x\n")

    def test_the_shell_does_the_same_with_it(self):
        arguments = ["it's", "", "a b", "$HOME", "*", "\\", "-x"]
        done = run("--dry-run", "--set", "log.file=/a 'b'/%p", "--", sys.executable, "-c", SHOW, *arguments)
        shown = subprocess.run(["sh", "-c", done.stdout], env=environment(), capture_output=True, text=True, timeout=60)
        seen = json.loads(shown.stdout)
        self.assertEqual(seen[0], arguments)
        self.assertEqual(seen[1]["GMLAKE_LOG_FILE"], "/a 'b'/%p")
        self.assertEqual(seen[1]["GMLAKE_TEST_PROBE"], "loaded")


class FindingTheLibrary(unittest.TestCase):
    def test_beside_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = os.path.realpath(folder)
            os.mkdir(os.path.join(folder, "bin"))
            os.mkdir(os.path.join(folder, "lib"))
            copy = shutil.copy(GMLAKE, os.path.join(folder, "bin"))
            library = shutil.copy(PROBE, os.path.join(folder, "lib", "libgmlake.so"))
            link = os.path.join(folder, "link")  # reached through a link, it is still beside the program itself
            os.symlink(copy, link)
            for start in (copy, link):
                done = subprocess.run([start, "run", "--dry-run", "--", "true"], env=environment(), text=True,
                                      capture_output=True, timeout=60)
                self.assertEqual(done.stdout, f"{PICTURE_SET}LD_PRELOAD={library} \\\ntrue\n")

    def test_option_wins_over_variable(self):
        done = run("--library", PROBE, "--dry-run", "--", "true", GMLAKE_LIBRARY="/no/such/file")
        self.assertEqual(done.stdout, f"{PICTURE_SET}LD_PRELOAD={PROBE} \\\ntrue\n")


if __name__ == "__main__":
    unittest.main()
