"""Legacy IPC of the pool's memory between two processes: as natively, and nothing is left when one of them is killed."""

import json
from pathlib import Path

import harness

PROGRAMS = [harness.PROGRAMS / name for name in ("between_processes_shared", "between_processes_static")]
MEETING = Path("/dev/shm")


def facts(process):
    return dict(line.rsplit(": ", 1) for line in process.stdout.splitlines())


def sockets():
    return {path.name for path in MEETING.glob("gmlake-*.sock")}


class BetweenProcesses(harness.Case):
    def both(self, program, *what, status=0, **settings):
        """Natively and under the library; what is said must be the same."""
        native = harness.run(program, *what, env=harness.environment(preload=False))
        self.assertEqual(native.returncode, status, native.stdout + native.stderr)
        process = self.preloaded(program, *what, **settings)
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        self.assertEqual(process.stdout, native.stdout)
        return process

    def preloaded(self, program, *what, **settings):
        return harness.run(program, *what, env=harness.environment(
            **{"GMLAKE_STATS_REPORT": "none", "GMLAKE_STATS_JSON_FILE": self.folder / "report-%p.json", **settings}))

    def reports(self):
        return [harness.Report(json.loads(path.read_text())) for path in self.folder.glob("report-*.json")]

    def test_a_thousand_handles_both_ways(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                process = self.both(program, "exchange", 500)
                said = facts(process)
                self.assertEqual((said["rounds"], said["wrong"], said["handles that are another's too"]), ("500", "0", "0"))
                self.assertEqual(said["descriptors are left"], "0")
        reports = self.reports()
        self.assertEqual([r["ipc_exports"] for r in reports], [500] * 4)
        self.assertEqual([r["ipc_opens"] for r in reports], [500] * 4)
        self.assertEqual([r["native_allocations"] for r in reports], [0] * 4)

    def test_through_the_runtime_alone(self):
        self.both(PROGRAMS[0], "exchange", 30, GMLAKE_HOOKS_DRIVER="false")
        self.assertEqual([r["ipc_opens"] for r in self.reports()], [30, 30])

    def test_what_a_handle_names(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                said = facts(self.both(program, "identity"))
                self.assertEqual(said["the same pointer"], "1")
                self.assertEqual(said["the new block's bytes are others"], "1")
                self.assertEqual(said["open what is freed"], "1")  # cudaErrorInvalidValue
                self.assertEqual(said["its bytes"], str(5 * harness.MIB))

    def test_stitched_memory(self):
        self.both(PROGRAMS[0], "pieces", GMLAKE_POOL_MAX_BYTES="32MiB", GMLAKE_POOL_LARGEST_CHUNK="2MiB")
        self.assertEqual(sum(r["stitches"] for r in self.reports()), 1)

    def test_one_is_killed_in_the_middle(self):
        before = sockets()
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                process = self.preloaded(program, "kill", 100)
                said = facts(process)
                self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
                self.assertEqual((said["rounds"], said["wrong"], said["descriptors are left"]), ("50", "0", "0"))
                self.assertEqual(said["the other ended as it should"], "1")
        # What the killed ones left is removed by the next that listens, once it is old enough to be nobody's.
        left = sockets() - before
        self.assertLessEqual(len(left), len(PROGRAMS))
        for name in left:
            (MEETING / name).unlink()

    def test_a_forked_child_does_not_keep_its_parent_alive(self):
        process = self.both(PROGRAMS[0], "fork")
        self.assertEqual(facts(process)["open what has ended"], "400")

    def test_the_other_runs_without(self):
        """It is said what that takes, and after the first that nobody could open the driver serves that size."""
        process = self.preloaded(PROGRAMS[0], "alone")
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        opened = [line for line in process.stdout.splitlines() if line.startswith("opened")]
        self.assertEqual(opened, ["opened: 0", "opened: 0", "opened: 1", "opened: 1"])
        lines = [line for line in process.stderr.splitlines() if line.startswith("gmlake: ")]
        self.assertEqual(len(lines), 1, process.stderr)
        self.assertIn("they can open it if they run with gmlake too", lines[0])
        self.assertIn("pool.ipc=native", lines[0])
        (report,) = self.reports()
        self.assertEqual((report["ipc_exports"], report["bypass_ipc"]), (2, 2))

    def test_native(self):
        process = self.both(PROGRAMS[0], "alone", GMLAKE_POOL_IPC="native")
        self.assertNotIn("opened: 0", process.stdout)
        self.assertEqual(process.stderr, "")
        (report,) = self.reports()
        self.assertEqual((report["ipc_exports"], report["bypass_ipc"]), (0, 4))

    def test_off(self):
        process = self.preloaded(PROGRAMS[0], "alone", GMLAKE_POOL_IPC="off")
        self.assertEqual(process.stdout.splitlines()[0], "handle failed: 1")

    def test_nothing_is_left_in_the_folder(self):
        before = sockets()
        self.both(PROGRAMS[0], "exchange", 4)
        self.assertEqual(sockets() - before, set())  # others may have left meanwhile


if __name__ == "__main__":
    harness.main()
