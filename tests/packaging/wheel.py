"""For the tests beside it: the wheel of this build, installed without network into a virtual environment of the test's own."""

import platform
import re
import sys
import tempfile
import venv
from pathlib import Path

from installed import harness, succeed

# 64 MiB by the simulated device's cudart.
ALLOCATE = """
import ctypes
cudart = ctypes.CDLL("libcudart.so.13")
block = ctypes.c_void_p()
assert cudart.cudaMalloc(ctypes.byref(block), ctypes.c_size_t(64 << 20)) == 0
"""


class Wheel(harness.Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="gmlake-wheel-")
        cls.addClassCleanup(folder.cleanup)
        cls.all = Path(folder.name)
        cls.wheel = cls.build(cls.all / "dist")
        cls.venv = cls.install("venv")

    @staticmethod
    def configured(name):
        return re.search(rf"^{name}:\w+=(.*)$", (harness.BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)[1]

    @classmethod
    def glibc(cls):
        return cls.configured("GMLAKE_GLIBC") or platform.libc_ver()[1]

    @classmethod
    def build(cls, output):
        glibc, version = cls.configured("GMLAKE_GLIBC"), cls.configured("CMAKE_PROJECT_VERSION")
        made = succeed(sys.executable, harness.SOURCE / "python" / "build_wheel.py", "--build", harness.BUILD, "--version", version,
                       "--glibc", glibc, "--output", output)
        return Path(made.strip())

    @classmethod
    def install(cls, place):
        folder = cls.all / place
        if not folder.exists():
            venv.create(folder, with_pip=True)
            succeed(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", cls.wheel)
        return folder

    @classmethod
    def environment(cls, **settings):
        """Without anything of the build but the simulated device, and no toolkit on the path."""
        return harness.environment(preload=False, PATH=f"{cls.all}/venv/bin:/usr/bin:/bin", **settings)

    def python(self, code, status=0, **settings):
        """Runs code in the environment's Python; gives the process."""
        done = harness.run(self.venv / "bin" / "python", "-c", code, env=self.environment(GMLAKE_STATS_REPORT="none", **settings))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done
