"""packaging/THIRD-PARTY.md names every package whose code gets into what is shipped: held against what the compiler read.

By the system's own knowledge of which package a header is from, so on Debian and Ubuntu.
"""

import re
from pathlib import Path

from installed import harness, succeed

LISTED = harness.SOURCE / "packaging" / "THIRD-PARTY.md"
SHIPPED = re.compile(r"(src|hooks|tools/gmlake|tools/simcuda)/\S*\.(o|gch): #deps")


def without_version(name):
    return re.sub(r"-\d+(?=-dev$)", "", name)


def named():
    return {without_version(name) for name in re.findall(r"`([a-z0-9.+-]+-dev)`", LISTED.read_text())}


class Licences(harness.Case):
    def packages(self):
        read = set()
        for block in succeed("ninja", "-C", harness.BUILD, "-t", "deps").split("\n\n"):
            first, *files = block.strip().splitlines() or [""]
            if SHIPPED.match(first):
                read |= {line.strip() for line in files}
        headers = sorted({str(Path(path).resolve()) for path in read if path.startswith(("/usr/include/", "/usr/lib/gcc/"))})
        self.assertGreater(len(headers), 100)
        return {without_version(line.split(":")[0]) for line in succeed("dpkg", "-S", *headers).splitlines()}

    def test_all_are_named(self):
        self.assertEqual(self.packages() - named(), set())

    def test_nothing_else_is(self):
        """But what is linked without a header of its own."""
        self.assertEqual(named() - self.packages() - {"libgcc-dev"}, set())


if __name__ == "__main__":
    harness.main()
