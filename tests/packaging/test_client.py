"""A program that calls gmlake.h is built by pkg-config and by find_package, from where gmlake was moved to after installing."""

import installed
from installed import harness, succeed


class Client(harness.Case):
    def setUp(self):
        super().setUp()
        installed.install(self.folder / "first place")
        self.prefix = self.folder / "prefix"
        (self.folder / "first place").rename(self.prefix)

    def check(self, program):
        env = harness.environment(preload=False, GMLAKE_STATS_REPORT="none", LD_LIBRARY_PATH=f"{self.prefix}/lib:{harness.SIMCUDA}")
        said = harness.run(program, env=env)
        self.assertRegex(said.stdout, r"^\d+\.\d+\.\d+ \(.*\): served\n$", said.stderr)
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_pkg_config(self):
        env = harness.environment(preload=False, PKG_CONFIG_LIBDIR=self.prefix / "lib" / "pkgconfig")
        flags = succeed("pkg-config", "--cflags", "--libs", "gmlake", env=env).split()
        program = self.folder / "client"
        succeed(installed.CXX, installed.HERE / "client" / "client.cpp", *flags, "-o", program)
        self.check(program)
        version = succeed("pkg-config", "--modversion", "gmlake", env=env).strip()
        self.assertIn(f"gmlake {version} ", succeed(harness.GMLAKE, "--version"))

    def test_find_package(self):
        build = self.folder / "build"
        succeed("cmake", "-S", installed.HERE / "client", "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}",
                f"-DCMAKE_CXX_COMPILER={installed.CXX}")
        succeed("cmake", "--build", build)
        self.check(build / "client")


if __name__ == "__main__":
    harness.main()
