"""The hook table against CUDA's headers: whatever gives work to a stream is in it, with the header's own types.

    check_hooks.py COMPILER CUDA_INCLUDE

A function that may give work and is neither in the table nor named here, with the reason why not, is a failure: so is
every such one of a new toolkit, until somebody has looked at it.
"""

import re
import subprocess
import sys
import unittest
from pathlib import Path

COMPILER, INCLUDE = sys.argv[1], Path(sys.argv[2])
HOOKS = Path(__file__).resolve().parents[2] / "hooks"

# Without their version and their flavour.
GIVES_NO_WORK = {
    r"cuStreamGet(Priority|Device|Flags|Id|Ctx|GreenCtx|Attribute|CaptureInfo)": "asks",
    r"cuStreamIsCapturing": "asks",
    r"cuStream(SetAttribute|CopyAttributes)": "says how later work is done",
    r"cuStreamUpdateCaptureDependencies": "changes the graph that is being captured",
    r"cuGraph(Exec)?(Add)?(Memcpy|Memset)Node((Set|Get)Params)?": "describes a graph; what gives work is its launch",
    r"cuOccupancyMax(PotentialClusterSize|ActiveClusters)": "reckons how a launch would do",
    r"cu(Ctx|GreenCtx)RecordEvent": "follows what the context has been given",
    r"cu(Ctx|GreenCtx)WaitEvent": "holds back what the context will be given",
    r"cuDevice(Unr|R)egisterAsyncNotification": "tells the host of memory pressure",
    r"cuEGLStream(Consumer(Acquire|Release)|Producer(Present|Return))Frame": "is about frames, which are no memory of "
        "the pool's; what uses memory with them on that stream is seen by itself",
}
# What may give work: has a stream among its arguments, or some default stream by itself.
NAMES = re.compile(r"Memcpy|Memset|Launch|Async|(Record|Wait)Event|(Unm|M)ap(Resources|BufferObject)|_ptsz$|_ptds$")
STREAMS = re.compile(r"\bCUstream\b|\bCUlaunchConfig\b|\bCUDA_LAUNCH_PARAMS\b")


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
    """Parameters by symbol: cuda.h's with all versions and flavours, and its relatives', which need headers of others."""
    text = preprocessed(INCLUDE / "cuda.h", "-D__CUDA_API_VERSION_INTERNAL")
    found = dict(re.findall(r"\bCUresult (cu[A-Z]\w*) ?\(([^;]*)\);", " ".join(text.split())))
    own = set(found)
    for name in ("cudaGL.h", "cudaEGL.h", "cudaVDPAU.h", "cudaProfiler.h"):
        text = re.sub(r"/\*.*?\*/", "", (INCLUDE / name).read_text(), flags=re.DOTALL)
        found |= dict(re.findall(r"\bCUresult CUDAAPI (cu[A-Z]\w*)\s*\(([^;]*)\);", text))
    return found, own


def unknown(found, table):
    """Those that may give work and of which nothing is known."""
    for symbol, parameters in found.items():
        base = re.sub(r"(_v\d+)?(_ptsz|_ptds)?$", "", symbol)
        if symbol not in table and (STREAMS.search(parameters) or NAMES.search(symbol)) and \
                not any(re.fullmatch(known, base) for known in GIVES_NO_WORK):
            yield symbol


class Hooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table, (cls.found, cls.own) = hook_table(), functions()

    def test_all_that_gives_work_is_seen(self):
        self.assertGreater(len(self.found), 600)
        self.assertIn("cuGraphicsMapResources_ptsz", self.table)
        self.assertEqual(list(unknown(self.found, self.table)), [])

    def test_a_new_function_is_unknown(self):
        new = {"cuMemcpyNext": "int", "cuNext": "CUevent, CUstream hStream", "cuNext_ptsz": "int", "cuNextGet": "int",
               "cuStreamGetPriority_v2": "CUstream hStream", "cuStreamGetNext": "CUstream hStream"}
        self.assertEqual(list(unknown(new, self.table)), ["cuMemcpyNext", "cuNext", "cuNext_ptsz", "cuStreamGetNext"])

    def test_every_exception_is_one(self):
        for known in GIVES_NO_WORK:
            names = [symbol for symbol in self.found if re.fullmatch(known + r"(_v\d+)?(_ptsz|_ptds)?", symbol)]
            self.assertTrue(names, known)
            self.assertFalse(set(names) & set(self.table), known)

    def test_types_are_the_headers(self):
        rows = [(symbol, *row) for symbol, row in self.table.items() if symbol in self.own]
        self.assertGreater(len(rows), 150)
        source = ["#include <type_traits>", "#include <cstddef>", "#include <cuda.h>"]
        source += [f'static_assert(std::is_same_v<decltype({symbol}), {result}({parameters})>, "{symbol}");'
                   for symbol, result, parameters in rows]
        done = subprocess.run([COMPILER, "-std=c++20", "-fsyntax-only", "-D__CUDA_API_VERSION_INTERNAL", "-I", INCLUDE,
                               "-x", "c++", "-"], input="\n".join(source), capture_output=True, text=True)
        self.assertEqual(re.findall(r"error: .*", done.stderr), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
