"""Each caller reaches the CUDA it would reach without the library: however that is called, linked and opened, wherever
the call comes from, whether the process is served or left alone."""

import json
import platform
import shutil
import struct
import sys
import unittest

import harness

SOURCES = harness.SOURCE / "tests" / "preload" / "own_cuda"
RENAMED = "libcudart-5a077122.so.13.0.96"
RENAMED_TOO = "libcudart-77c01b3e.so.13.0.88"
ALLOCATIONS = 4  # of one use of a library (host.c), and of a pair that cross
CROSSING = 2
SETTINGS = {
    "served": {},
    "disabled": {"GMLAKE_DISABLE": "1"},
    "no_runtime": {"GMLAKE_HOOKS_RUNTIME": "false"},
    "no_driver": {"GMLAKE_HOOKS_DRIVER": "false"},
    "excluded": {"GMLAKE_PROCESSES_EXCLUDE": "host*,python*"},
}


class Kind:
    """How libraries are made and opened. `served_by`: the doors that see them."""

    def __init__(self, opened, allocations, served_by=("runtime", "driver"), host="host", names=("plug", "cuda")):
        self.opened, self.allocations, self.served_by, self.host, self.names = opened, allocations, served_by, host, names


ONE, TWO = ALLOCATIONS, 2 * ALLOCATIONS + CROSSING
KINDS = {
    "shared": Kind([], ONE, host="host_linked", names=("plug",)),
    "shared_and_plugin": Kind(["n:libplain.so"], TWO, host="host_linked"),
    "local": Kind(["n:libplain.so"], ONE),
    "lazy": Kind(["z:libplain_lazy.so"], ONE),
    "global": Kind(["ng:libplain.so"], ONE),
    "early": Kind(["n:libearly.so"], ONE + 1, names=("plug",)),
    "renamed": Kind(["n:librenamed.so"], ONE),
    "renamed_lazy": Kind(["z:librenamed_lazy.so"], ONE),
    "renamed_beside_global": Kind(["ng:libplain.so", "n:librenamed.so"], TWO, names=("plug",)),
    "renamed_before_global": Kind(["n:librenamed.so", "ng:libplain.so"], TWO, names=("plug",)),
    "stub": Kind(["n:libstubbed.so"], ONE, names=("plug",)),
    "driver_stub": Kind(["n:libdriver_stubbed.so"], ONE, ("driver",), names=("plug",)),
    "driver_by_its_other_name": Kind(["n:libdriver_stubbed_link.so"], ONE, ("driver",), names=("plug",)),
    "driver": Kind(["n:libdriver.so"], ONE, ("driver",), names=("plug",)),
    "driver_deepbind": Kind(["nd:libdriver.so"], ONE, ("driver",), names=("plug",)),
    "static": Kind(["n:libstatic.so"], ONE, ("driver",), names=("plug",)),
    "static_beside_shared": Kind(["n:libstatic.so", "n:libplain.so"], TWO, ("driver",), names=("plug",)),
    "two_majors": Kind(["n:libplain_12.so", "n:libplain.so"], TWO),
    "two_majors_global": Kind(["ng:libplain_12.so", "ng:libplain.so"], TWO),
    "three_majors": Kind(["n:libplain_11.so", "n:libplain_12.so", "n:libplain.so"], 3 * ONE + 2 * CROSSING, ("driver",)),
    "two_of_a_major": Kind(["n:librenamed.so", "n:libplain.so"], TWO),
    "two_renamed": Kind(["z:librenamed_lazy.so", "n:librenamed_too.so"], TWO),
    "reopened": Kind(["nr:libplain.so"], 3 * ONE),
    "reopened_global": Kind(["ngr:libplain.so"], 3 * ONE),
    "reopened_renamed": Kind(["nr:librenamed.so"], 3 * ONE),
    "under_linked": Kind(["n:libparent.so"], ONE, names=("plug",)),
    "under_linked_lazy": Kind(["z:libparent.so"], ONE, names=("plug",)),
    "deepbind": Kind(["nd:libplain.so"], ONE),
    "deepbind_beside": Kind(["ng:libplain.so", "nd:librenamed.so"], TWO),
    "namespace": Kind(["nm:librenamed.so"], ONE),
    "namespace_lazy": Kind(["zm:libplain_lazy.so"], ONE),
    "namespace_beside": Kind(["n:libplain.so", "nm:librenamed.so"], ONE + 1),  # another driver, with memory of its own
    "namespace_before": Kind(["nm:libdriver.so", "n:libplain.so"], ONE + 1, ("driver",), names=("plug",)),
    "namespace_driver": Kind(["nm:libdriver.so"], ONE, ("driver",), names=("plug",)),
}


def without_soname(source, target):
    """A copy that is known by its file name alone, as auditwheel leaves it."""
    image = bytearray(source.read_bytes())
    header, count = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]
    for at in range(header, header + 56 * count, 56):
        kind, offset, size = *struct.unpack_from("<I", image, at), *struct.unpack_from("<8xQ16xQ", image, at)
        if kind != 2:  # PT_DYNAMIC
            continue
        for entry in range(offset, offset + size, 16):
            if struct.unpack_from("<q", image, entry)[0] == 14:  # DT_SONAME
                struct.pack_into("<q", image, entry, 0x6000000D)  # of no meaning to the dynamic linker
    target.write_bytes(image)


def build(folder):
    """All libraries and programs of KINDS."""

    def make(target, source, *flags, shared=True):
        kind = ["-shared", "-fPIC"] if shared else []
        command = ["cc", "-O2", "-w", *kind, SOURCES / source, "-o", folder / target, f"-L{folder}", *flags]
        process = harness.run(*command, env=harness.environment(preload=False, simcuda=False))
        if process.returncode != 0:
            raise RuntimeError(process.stderr)

    own = "-Wl,-rpath,$ORIGIN,-z,now,--enable-new-dtags"
    lazy = "-Wl,-rpath,$ORIGIN,-z,lazy,--enable-new-dtags"
    simcuda = f"-L{harness.SIMCUDA}"
    for name in (RENAMED, RENAMED_TOO):
        without_soname(harness.SIMCUDA / "libcudart.so.13", folder / name)
    make("libplain.so", "plugin.c", own, simcuda, "-l:libcudart.so.13")
    make("libplain_lazy.so", "plugin.c", lazy, simcuda, "-l:libcudart.so.13")
    make("libplain_12.so", "plugin.c", own, simcuda, "-l:libcudart.so.12")
    make("libplain_11.so", "plugin.c", own, simcuda, "-l:libcudart.so.11.0")
    make("libearly.so", "plugin.c", own, simcuda, "-l:libcudart.so.13", "-DEARLY")
    make("librenamed.so", "plugin.c", own, f"-l:{RENAMED}")
    make("librenamed_lazy.so", "plugin.c", lazy, f"-l:{RENAMED}")
    make("librenamed_too.so", "plugin.c", own, f"-l:{RENAMED_TOO}")
    make("libstub.so", "stub.c", '-DREAL="libcudart.so.13"')
    make("libstubbed.so", "plugin.c", own, "-l:libstub.so")
    make("libdriver_stub.so", "stub.c", '-DREAL="libcuda.so.1"', "-DDRIVER")
    make("libdriver_stubbed.so", "driver_plugin.c", own, "-l:libdriver_stub.so")
    make("libdriver_stub_link.so", "stub.c", '-DREAL="libcuda.so"', "-DDRIVER")
    make("libdriver_stubbed_link.so", "driver_plugin.c", own, "-l:libdriver_stub_link.so")
    make("libdriver.so", "driver_plugin.c", own, simcuda, "-l:libcuda.so.1")
    make("libstatic.so", "plugin.c", own, simcuda, "-l:libcudart_static.a", "-lstdc++", "-ldl", "-lpthread",
         *(["-lubsan"] if "asan" in "".join(harness.PRELOAD_FIRST) else []))  # the archive is built with it then
    make("libunder_linked.so", "plugin.c", lazy)
    make("libparent.so", "parent.c", own, "-Wl,--no-as-needed", "-l:libunder_linked.so", simcuda, "-l:libcudart.so.13")
    make("host", "host.c", "-ldl", shared=False)
    make("host_linked", "host.c", "-DLINKED", simcuda, "-l:libcudart.so.13", "-ldl", shared=False)


class OwnCuda(harness.Case):
    @classmethod
    def setUpClass(cls):
        import tempfile
        from pathlib import Path

        folder = tempfile.TemporaryDirectory(prefix="gmlake-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.built = Path(folder.name)
        build(cls.built)

    def compare(self, kind, command, allocations):
        native = harness.run(*command, env=harness.environment(preload=False))
        self.assertEqual(native.returncode, 0, native.stdout + native.stderr)
        self.assertIn("too much 2, last", native.stdout)
        for name, settings in SETTINGS.items():
            with self.subTest(settings=name):
                report = self.folder / "report.json"
                report.unlink(missing_ok=True)
                env = harness.environment(GMLAKE_STATS_JSON_FILE=report, GMLAKE_STATS_REPORT="none",
                                          GMLAKE_LOG_LEVEL="off", **settings)
                process = harness.run(*command, env=env)
                self.assertEqual(process.stdout, native.stdout)
                self.assertEqual((process.returncode, process.stderr), (native.returncode, native.stderr))
                closed = {"no_runtime": "runtime", "no_driver": "driver"}.get(name)
                if name in ("disabled", "excluded"):
                    self.assertFalse(report.exists())
                elif set(kind.served_by) - {closed}:
                    self.assertTrue(report.exists(), "not served")
                    counters = harness.Report(json.loads(report.read_text()))
                    self.assertEqual(counters["allocations"], allocations)
                    self.assertEqual((counters["live_bytes"], counters["native_allocations"]), (0, 0))

    def check(self, kind):
        opened = [how if ":" not in how else ":".join((how.split(":")[0], str(self.built / how.split(":")[1])))
                  for how in kind.opened]
        for names in kind.names:
            for caller in ("direct", "anonymous"):
                with self.subTest(names=names, caller=caller):
                    self.compare(kind, [self.built / kind.host, caller, names, *opened], kind.allocations)
        if kind.host == "host" and not any("m" in how.split(":")[0] for how in kind.opened):
            with self.subTest(caller="ctypes"):
                self.compare(kind, [sys.executable, SOURCES / "host.py", kind.names[-1], *opened], kind.allocations)


def beside_a_sanitizer(kind):
    """A sanitizer refuses RTLD_DEEPBIND, and a second copy of it in another namespace finds its place taken."""
    return not any(set(how.split(":")[0]) & set("dm") for how in kind.opened)


for name, kind in KINDS.items():
    if harness.PRELOAD_FIRST and not beside_a_sanitizer(kind):
        continue
    setattr(OwnCuda, f"test_{name}", lambda self, kind=kind: self.check(kind))


if __name__ == "__main__":
    harness.main()
