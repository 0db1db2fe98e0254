"""The programs of tests/gpu: taken from the build tree, or compiled here when it has none."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

PROBES = ["what_happens", "probe_mapping", "probe_pointer", "probe_copy", "probe_capture", "probe_ipc", "probe_order",
          "probe_limit"]
# Name: compiler, sources, arguments.
RECIPES = {
    "what_happens": ("c++", [f"{name}.cpp" for name in PROBES], ["-lpthread"]),
    "door_pointers": ("c++", ["door_pointers.cpp"], []),
    "two_devices": ("c++", ["two_devices.cpp", "two_devices_copies.cpp"], []),
    "tracer.so": ("c++", ["tracer.cpp"], ["-fPIC", "-shared", "-fvisibility=hidden"]),
    "plain_plugin.so": ("c++", ["plain_plugin.cpp"], ["-fPIC", "-shared"]),
    "doors_client_shared": ("nvcc", ["doors_client.cu"], ["-cudart", "shared"]),
    "doors_client_static": ("nvcc", ["doors_client.cu"], ["-cudart", "static"]),
    "coherence": ("nvcc", ["coherence.cu"], []),
    "kernel_speed": ("nvcc", ["kernel_speed.cu"], []),
    "thrust_sort": ("nvcc", ["thrust_sort.cu"], []),
}


class Unavailable(Exception):
    """A program is not in the build tree and could not be compiled."""


class Programs:
    def __init__(self, session):
        self.session = session
        self.problems = {}

    def prepare(self, names, prebuilt=True):
        """Compiles what is missing, several at once."""
        missing = [n for n in names
                   if not (prebuilt and self.prebuilt(n).exists()) and not self.compiled(n).exists()]
        if missing:
            self.session.say(f"compiling {', '.join(missing)}")
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for name, problem in zip(missing, pool.map(self.compile, missing)):
                if problem:
                    self.problems[name] = problem
                    self.session.problem(f"{name} does not compile: {problem}")

    def path(self, name):
        if self.prebuilt(name).exists():
            return self.prebuilt(name)
        if not self.compiled(name).exists():
            self.prepare([name])
        if name in self.problems:
            raise Unavailable(f"{name}: {self.problems[name]}")
        return self.compiled(name)

    def prebuilt(self, name):
        return self.session.build / "tests" / "gpu" / name

    def compiled(self, name):
        return self.session.work / name

    def compile(self, name):
        compiler, sources, arguments = RECIPES[name]
        machine, source = self.session.machine, self.session.source
        files = [str(source / "tests" / "gpu" / s) for s in sources]
        if compiler == "nvcc":
            if not machine.nvcc:
                return "there is no nvcc"
            command = [machine.nvcc, "-std=c++20", "-O2", "-arch=sm_90" if machine.simulated else "-arch=native"]
        else:
            command = ["g++", "-std=c++20", "-O2", "-isystem", str(machine.toolkit / "include"), "-I", str(source)]
        partial = self.compiled(name + ".partial")
        try:
            done = subprocess.run([*command, *files, *arguments, "-o", str(partial), "-ldl"], capture_output=True,
                                  text=True, timeout=240)
        except (OSError, subprocess.TimeoutExpired) as failure:
            return str(failure)
        if done.returncode:
            return (done.stderr or done.stdout)[-1500:]
        partial.rename(self.compiled(name))
        return None
