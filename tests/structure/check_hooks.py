"""The hook table against CUDA's headers: each of the driver's functions is in it, with the header's own types, or was
looked at and is named in harmless_calls.py with the reason why not.

    check_hooks.py COMPILER CUDA_INCLUDE [NEWEST]

NEWEST is a folder with NVIDIA's newest headers and runtime somewhere below (newest_headers.txt). A function in neither
is a failure: so is every new one of a new toolkit, until somebody has looked at it. And what hooks/effects.h says of
functions that are unknown is held against those that are known.
"""

import re
import subprocess
import sys
import unittest
from pathlib import Path

from harmless_calls import reasons

COMPILER, INCLUDE = sys.argv[1], Path(sys.argv[2])
NEWEST = Path(sys.argv[3]) if len(sys.argv) > 3 else None
if NEWEST:
    INCLUDE = next(NEWEST.rglob("cuda.h")).parent
HOOKS = Path(__file__).resolve().parents[2] / "hooks"
REASONS = reasons()

# Of the hook table: functions by which nothing goes unseen if one is not seen, and why.
NOTHING_UNSEEN = {
    r"cu(GetProcAddress|Init)(_v2)?": "are what they are: a newer gate is another name's",
    r"cuMem(Alloc|Free|GetInfo|AllocPitch|PoolTrimTo|Create)(_v2)?|cu(Array3D|Array|MipmappedArray)Create(_v2)?":
        "memory that is not ours",
    r"cuMem(Map|Unmap|Release|RetainAllocationHandle|[GS]etAccess|GetAddressRange)(_v2)?|cuPointer[GS]etAttributes?"
    r"|cuIpc(Get|Open|Close)MemHandle(_v2)?|cuMemPool.*|cu(Device|Mem)(Set|Get|GetDefault)MemPool|cu(Ctx|Mem).*Peer.*|cuMemGetHandle.*":
        "what there is to know of memory, and who else may have it: no order",
    r"cu(Module|Func|Kernel|Library)(Load|Get).*|cuGraphInstantiate.*": "may need memory",
    r"cu(Ctx|Stream|Event)(Synchronize|Query)(_v2)?(_ptsz)?": "proves something, of which nothing is made then",
    r"cuStreamEndCapture(ToCig)?(_ptsz)?": "a capture that is over counts as open",
}
# What cudart asks for and no header has. Nothing is known of it but the name.
UNDOCUMENTED = {"cuSubgridCreate", "cuSubgridWorkerGridCreate", "cuSubgridWorksetCreate"}
# In headers that need others', under the names of their versions.
ELSEWHERE = re.compile(r"cu(GL|EGL|VDPAU|Profiler)")


def base_of(symbol):
    return re.sub(r"(_v\d+)?(_ptsz|_ptds)?$", "", symbol)


def preprocessed(source, *options):
    command = [COMPILER, "-E", "-P", "-x", "c++", *options, source]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def hook_table():
    """(result, parameters) by symbol, of what libcuda.so.1 exports."""
    source = '#include "hook_table.h"\n#define X(symbol, wrapper, result, parameters) #symbol|result|parameters;\n' \
             "GMLAKE_DRIVER_HOOKS(X)\n"
    text = subprocess.run([COMPILER, "-E", "-P", "-x", "c++", "-I", HOOKS, "-"], input=source, capture_output=True,
                          text=True, check=True).stdout
    rows = re.findall(r'"(cu\w+)"\|(.+?)\|\((.*?)\);', " ".join(text.split()))
    return {symbol: (result, parameters) for symbol, result, parameters in rows}


def functions():
    """The symbols of cuda.h, with all versions and flavours, and with its relatives', which need headers of others."""
    text = preprocessed(INCLUDE / "cuda.h", "-D__CUDA_API_VERSION_INTERNAL")
    own = set(re.findall(r"\bCUresult (cu[A-Z]\w*) ?\([^;]*\);", " ".join(text.split())))
    found = set(own)
    for name in ("cudaGL.h", "cudaEGL.h", "cudaVDPAU.h"):
        text = re.sub(r"/\*.*?\*/", "", (INCLUDE / name).read_text(), flags=re.DOTALL)
        found |= set(re.findall(r"\bCUresult CUDAAPI (cu[A-Z]\w*)\s*\([^;]*\);", text))
    return found, own


def unknown(found, table):
    """Those of which nothing is known."""
    return sorted(symbol for symbol in found if symbol not in table and base_of(symbol) not in REASONS)


def errors_of(source, *options):
    command = [COMPILER, "-std=c++20", "-fsyntax-only", *options, "-x", "c++", "-"]
    done = subprocess.run(command, input="\n".join(source), capture_output=True, text=True)
    return re.findall(r"error: .*", done.stderr)


class Hooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table, (cls.found, cls.own) = hook_table(), functions()

    def test_every_function_is_known(self):
        self.assertGreater(len(self.found), 680 if NEWEST else 600)
        self.assertIn("cuGraphicsMapResources_ptsz", self.table)
        self.assertEqual(unknown(self.found, self.table), [])

    def test_a_new_function_is_unknown(self):
        new = {"cuMemcpyNext", "cuNext_ptsz", "cuStreamGetPriority_v9", "cuMemAlloc_v2", "cuMemAlloc"}
        self.assertEqual(unknown(new, self.table), ["cuMemcpyNext", "cuNext_ptsz"])

    def test_every_exception_is_one(self):
        symbols = {symbol for symbol in self.found if symbol not in self.table}
        if NEWEST:
            self.assertEqual(sorted(set(REASONS) - {base_of(symbol) for symbol in symbols}), [])

    def test_types_are_the_headers(self):
        rows = [(symbol, *row) for symbol, row in self.table.items() if symbol in self.own]
        self.assertGreater(len(rows), 150)
        source = ['#include <type_traits>', f'#include "{HOOKS}/wrappers.h"', "using namespace gmlake::hooks;"]
        source += [f'static_assert(std::is_same_v<decltype(::{symbol}), {result}({parameters})>, "{symbol}");'
                   for symbol, result, parameters in rows]
        self.assertEqual(errors_of(source, "-D__CUDA_API_VERSION_INTERNAL", "-I", INCLUDE), [])

    # Of what may be handed out beside the table nothing is feared; were a function of the table not there, it would be.
    def test_what_is_feared_of_unknown_functions(self):
        feared = [symbol for symbol in self.table
                  if not any(re.fullmatch(pattern, symbol) for pattern in NOTHING_UNSEEN)]
        self.assertGreater(len(feared), 150)
        source = [f'#include "{HOOKS}/effects.h"', "using gmlake::hooks::effects_of;"]
        source += [f'static_assert(effects_of("{symbol}") == 0, "{symbol}");'
                   for symbol in sorted(self.found - set(self.table)) + sorted(UNDOCUMENTED)]
        source += [f'static_assert(effects_of("{symbol}") != 0, "{symbol}");'
                   for symbol in feared + ["cuGetProcAddress_v3", "cuStreamRecapture", "cuEventRecordNext"]]
        self.assertEqual(errors_of(source), [])

    # A runtime does all it does by functions that it asks the driver for by name.
    @unittest.skipUnless(NEWEST, "the newest runtime is looked at")
    def test_the_runtime_asks_for_nothing_else(self):
        text = next(NEWEST.rglob("libcudart.so.*")).read_bytes()
        asked = {name.decode() for name in re.findall(rb"(?<=\0)cu[A-Z]\w*(?=\0)", text)}
        self.assertGreater(len(asked), 400)
        known = self.found | {base_of(symbol) for symbol in self.found} | UNDOCUMENTED
        self.assertEqual(sorted(name for name in asked - known if not ELSEWHERE.match(name)), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
