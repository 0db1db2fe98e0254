"""The wheel in a fresh virtual environment without network or toolkit: the command, its library, and the figures from Python."""

import json
import sys

from installed import harness, succeed
from wheel import ALLOCATE, Wheel

NAME = r"gmlake-\d+\.\d+\.\d+-py3-none-manylinux_2_\d+_\w+\.whl"


class Command(Wheel):
    def test_its_name_licences_and_pages(self):
        self.assertRegex(self.wheel.name, f"^{NAME}$")
        inside = succeed(sys.executable, "-m", "zipfile", "-l", self.wheel)
        for name in ("licenses/LICENSE", "licenses/THIRD-PARTY.md", "gmlake/docs/out-of-memory.md", "gmlake/docs/pytorch.md"):
            self.assertIn(name, inside)

    def test_the_same_again(self):
        again = self.build(self.folder / "again")
        self.assertEqual(again.read_bytes(), self.wheel.read_bytes())

    def test_run(self):
        for place in ("venv", "a path with spaces"):
            with self.subTest(place=place):
                venv = self.install(place)
                report = self.folder / f"{len(place)}.json"
                env = self.environment(HOME=self.folder, GMLAKE_STATS_REPORT="none")
                said = harness.run(venv / "bin" / "gmlake", "run", "--json", report, "--", venv / "bin" / "python", "-c", ALLOCATE,
                                   env=env)
                self.assertEqual((said.returncode, said.stderr), (0, ""))
                counters = harness.Report(json.loads(report.read_text()))
                self.assertEqual(counters["allocations"], 1)
                self.assertEqual(counters["peak_live_bytes"], 64 * harness.MIB)

    def test_arguments_and_exit_status_are_the_commands_own(self):
        gmlake = self.venv / "bin" / "gmlake"
        env = self.environment()
        self.assertEqual(harness.run(gmlake, "--version", env=env).stdout, succeed(harness.GMLAKE, "--version"))
        self.assertEqual(harness.run(gmlake, "run", "--exec", "--", "sh", "-c", "exit 7", env=env).returncode, 7)
        self.assertEqual(harness.run(gmlake, "rnu", env=env).returncode, 64)
        module = harness.run(self.venv / "bin" / "python", "-m", "gmlake", "--version", env=env)
        self.assertEqual(module.stdout, succeed(harness.GMLAKE, "--version"))

    def test_replay_finds_its_device(self):
        trace = self.folder / "trace.csv"
        for words in (("trace", "generate", "--model", "tiny", "--iterations", "1", "--output", trace), ("replay", trace)):
            said = harness.run(self.venv / "bin" / "gmlake", *words, env=self.environment())
            self.assertEqual(said.returncode, 0, said.stderr)

    def test_names(self):
        code = f"""
import gmlake
with gmlake.annotate("outer"):
    with gmlake.annotate("inner"):
        pass
    {ALLOCATE.strip().replace(chr(10), chr(10) + "    ")}
who = gmlake.stats()["who"]["holders"][0]
assert (who["name"], who["live"]) == ("outer", 64 << 20), who
"""
        said = harness.run(self.venv / "bin" / "gmlake", "run", "--exec", "--", self.venv / "bin" / "python", "-c", code,
                           env=self.environment(GMLAKE_STATS_REPORT="none", GMLAKE_STATS_SAMPLE_BYTES="1MiB"))
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_figures(self):
        code = f"""
import gmlake
assert gmlake.stats() == {{}} and gmlake.memory_allocated() == 0
{ALLOCATE}
assert gmlake.memory_allocated() == gmlake.max_memory_allocated() == 64 << 20
assert gmlake.memory_reserved() >= 64 << 20
cudart.cudaFree(block)
cudart.cudaDeviceSynchronize()
assert gmlake.memory_allocated() == 0 and gmlake.max_memory_allocated() == 64 << 20
given = gmlake.empty_cache()
assert given >= 64 << 20 and gmlake.memory_reserved() == gmlake.max_memory_reserved() - given, given
assert gmlake.stats()["total"]["counters"]["allocations"] == 1
assert gmlake.memory_allocated(63) == gmlake.memory_allocated(-1) == 0
"""
        said = harness.run(self.venv / "bin" / "gmlake", "run", "--exec", "--", self.venv / "bin" / "python", "-c", code,
                           env=self.environment(GMLAKE_STATS_REPORT="none"))
        self.assertEqual((said.returncode, said.stderr), (0, ""))


if __name__ == "__main__":
    harness.main()
