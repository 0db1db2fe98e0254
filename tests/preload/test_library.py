"""What libgmlake.so asks of a process and what it adds to it: C libraries only, no names of CUDA."""

import re

import harness

ALLOWED = re.compile(r"(libc|libm|libdl|libpthread|ld-linux-[\w-]+)\.so\.\d+")


def tool(*command):
    process = harness.run(*command, harness.LIBRARY, env=harness.environment(preload=False, simcuda=False))
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    return process.stdout


def c_api():
    """The functions that gmlake.h declares."""
    names = set(re.findall(r"\b(gmlake_\w+)\(", (harness.SOURCE / "hooks" / "gmlake.h").read_text()))
    assert {"gmlake_malloc", "gmlake_free", "gmlake_record_use"} <= names
    return names


class Library(harness.Case):
    def test_needs_only_the_c_library(self):
        dynamic = tool("readelf", "-dW")
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertIn("libc.so.6", needed)
        self.assertEqual([name for name in needed if not ALLOWED.fullmatch(name)], [])
        self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH|TEXTREL)\)")

    def test_exports_no_name_of_cuda(self):
        """A CUDA library's own symbols are made ours: whose symbol a caller gets is the dynamic linker's choice."""
        exported = {line.split()[-1].split("@")[0] for line in tool("nm", "-D", "--defined-only").splitlines()}
        self.assertEqual(exported, {"dlsym", "dup2", "dup3", "__gmon_start__", "gmlake_settle",
                                    "InitializeInjectionNvtx2"} | c_api())

    def test_the_c_api_is_plain_c(self):
        header = harness.SOURCE / "hooks" / "gmlake.h"
        command = ["cc", "-std=c99", "-pedantic-errors", "-Wall", "-Werror", "-fsyntax-only", "-x", "c"]
        source = self.folder / "all.c"
        source.write_text(f'#include "{header}"\nvoid all(void) {{ {" ".join(f"(void)&{name};" for name in c_api())} }}\n')
        process = harness.run(*command, source, env=harness.environment(preload=False, simcuda=False))
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_does_not_link_cuda(self):
        undefined = tool("nm", "-D", "--undefined-only")
        self.assertNotRegex(undefined, r"\bcu(da)?[A-Z]")


if __name__ == "__main__":
    harness.main()
