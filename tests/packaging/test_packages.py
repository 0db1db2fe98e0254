"""The .deb and the .tar.gz: what is in them, that it works from there, that Debian's checker is content, and that both can be made again."""

import re

from installed import harness, succeed

WANTED = ("bin/gmlake", "lib/libgmlake.so", "lib/simcuda/libcuda.so.1", "include/gmlake.h", "lib/pkgconfig/gmlake.pc",
          "lib/cmake/gmlake/gmlakeConfig.cmake", "share/gmlake/gmlake.schema.json", "share/doc/gmlake/configuration.md",
          "share/bash-completion/completions/gmlake", "share/zsh/site-functions/_gmlake", "share/fish/vendor_completions.d/gmlake.fish")


class Packages(harness.Case):
    def pack(self, generator, into):
        env = harness.environment(preload=False, SOURCE_DATE_EPOCH=1760000000)
        succeed("cpack", "-G", generator, "--config", harness.BUILD / "CPackConfig.cmake", "-B", into, env=env)
        made = [path for path in into.iterdir() if path.is_file()]
        self.assertEqual(len(made), 1, made)
        return made[0]

    def check(self, prefix, more):
        for name in (*WANTED, *more):
            self.assertTrue((prefix / name).is_file(), name)
        self.assertEqual([path for path in prefix.rglob("*cudart*")], [])
        env = harness.environment(preload=False)
        said = harness.run(prefix / "bin/gmlake", "run", "--dry-run", "--", "true", env=env)
        self.assertIn(f"LD_PRELOAD={prefix}/lib/libgmlake.so", said.stdout)
        trace = self.folder / "trace.csv"
        for words in (("trace", "generate", "--model", "tiny", "--iterations", "1", "--output", trace), ("replay", trace)):
            said = harness.run(prefix / "bin/gmlake", *words, env=env)
            self.assertEqual(said.returncode, 0, said.stderr)
        for binary in ("bin/gmlake", "lib/libgmlake.so"):
            self.assertNotIn(".symtab", succeed("readelf", "--sections", "--wide", prefix / binary))

    def test_deb(self):
        deb = self.pack("DEB", self.folder / "deb")
        self.assertRegex(deb.name, r"^gmlake_\d+\.\d+\.\d+-1_[a-z0-9]+\.deb$")
        succeed("dpkg-deb", "--extract", deb, self.folder / "root")
        self.check(self.folder / "root" / "usr", ("share/man/man1/gmlake.1.gz", "share/man/man5/gmlake.json.5.gz",
                                                  "share/doc/gmlake/copyright", "share/doc/gmlake/changelog.gz"))
        self.assertRegex(succeed("dpkg-deb", "--field", deb, "Depends"), r"^libc6 \(>= 2\.\d+\)\n$")
        said = succeed("lintian", "--allow-root", "--fail-on", "error", deb)
        self.assertNotRegex(said, r"(?m)^[EW]: ")
        self.assertEqual(deb.read_bytes(), self.pack("DEB", self.folder / "again").read_bytes())

    def test_tar(self):
        tar = self.pack("TGZ", self.folder / "tar")
        self.assertRegex(tar.name, r"^gmlake-\d+\.\d+\.\d+-linux-\w+\.tar\.gz$")
        succeed("tar", "-xf", tar, "-C", self.folder)
        inside = self.folder / re.sub(r"\.tar\.gz$", "", tar.name)
        self.check(inside, ("share/man/man1/gmlake.1", "share/doc/gmlake/LICENSE", "share/doc/gmlake/THIRD-PARTY.md"))
        owners = {line.split()[1] for line in succeed("tar", "--numeric-owner", "-tvf", tar).splitlines()}
        self.assertEqual(owners, {"0/0"})


if __name__ == "__main__":
    harness.main()
