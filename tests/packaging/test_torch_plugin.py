"""PyTorch's plug-in: an exception that its caller can catch, memory that goes on after it, and gmlake.torch's own logic.

PyTorch itself is not here. A C++ program stands in for how it calls the plug-in, a module of its name for what gmlake.torch
asks of it; tests/gpu/pytorch_ways.py runs the real one.
"""

import re

import installed
from installed import harness, succeed
from wheel import Wheel

# What gmlake.torch touches of torch, doing what torch 2.11 does as far as that goes: the plug-in is loaded and called.
FAKE = '''
import ctypes
import types

__version__ = "2.11.0"
version = types.SimpleNamespace(cuda="13.0")
in_use = False
current = None


class Functions:
    def __init__(self, malloc, free):
        self.malloc, self.free, self.record_stream, self.reset = malloc, free, None, None

    def set_record_stream_fn(self, address):
        self.record_stream = address

    def set_reset_fn(self, address):
        self.reset = address


class CUDAPluggableAllocator:
    def __init__(self, path, malloc, free):
        library = ctypes.CDLL(path)
        self._functions = Functions(*(ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in (malloc, free)))

    def allocator(self):
        return self._functions


def change_current_allocator(plugin):
    global current
    if in_use:
        raise RuntimeError("Can't swap an already initialized allocator")
    current = plugin.allocator()


cuda = types.SimpleNamespace(
    memory=types.SimpleNamespace(CUDAPluggableAllocator=CUDAPluggableAllocator, change_current_allocator=change_current_allocator),
    current_device=lambda: 0)


def device(name):
    return types.SimpleNamespace(index=int(name.split(":")[1]) if ":" in name else None)
'''

ENABLED = """
import ctypes
import gmlake.torch, torch
gmlake.torch.enable()
gmlake.torch.enable()
assert gmlake.torch.is_enabled() and torch.current.record_stream and torch.current.reset
malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p)(torch.current.malloc)
free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p)(torch.current.free)
block = malloc(64 << 20, 0, None)
assert block and gmlake.torch.memory_allocated() == gmlake.torch.memory_allocated("cuda:0") == 64 << 20
assert gmlake.torch.memory_allocated("cuda") == gmlake.torch.memory_allocated(0) == 64 << 20
free(block, 64 << 20, 0, None)
assert gmlake.torch.memory_allocated() == 0 and gmlake.torch.max_memory_allocated() == 64 << 20
reserved = gmlake.torch.memory_reserved()
ctypes.CFUNCTYPE(None)(torch.current.reset)()
assert gmlake.torch.memory_reserved() < reserved == gmlake.torch.max_memory_reserved()
assert gmlake.torch.stats()["total"]["counters"]["allocations"] == 1
"""


class Plugin(Wheel):
    def setUp(self):
        super().setUp()
        self.fake = self.folder / "fake"
        self.fake.mkdir()
        (self.fake / "torch.py").write_text(FAKE)
        self.plugin = next(self.venv.rglob("libgmlake_torch.so"))

    def test_the_systems_runtime(self):
        """The exception's type is that of the program's own C++ runtime, of an old enough version."""
        dynamic = succeed("readelf", "-dW", self.plugin)
        for name in ("libstdc++.so.6", "libgmlake.so"):
            self.assertIn(f"[{name}]", dynamic)
        self.assertIn("[$ORIGIN]", dynamic)
        # What a system of that C library's time has: GCC 8's.
        newest = {"GLIBC": tuple(map(int, self.glibc().split("."))), "GLIBCXX": (3, 4, 25), "CXXABI": (1, 3, 11), "GCC": (8,)}
        wanted = re.findall(r"UND \S+@(\w+)_([0-9.]+)", succeed("readelf", "--dyn-syms", "--wide", self.plugin))
        self.assertGreater(len(wanted), 5)
        for name, version in wanted:
            self.assertLessEqual(tuple(map(int, version.split("."))), newest[name], name)
        exported = {line.split()[-1] for line in succeed("nm", "-D", "--defined-only", self.plugin).splitlines()}
        self.assertEqual(exported, {f"gmlake_torch_{name}" for name in ("malloc", "free", "record_stream", "empty_cache")})

    def test_out_of_memory_is_caught(self):
        program = self.folder / "stand in"
        succeed(installed.CXX, "-std=c++17", installed.HERE / "stand_in.cpp", "-o", program, "-ldl")
        for preload in (None, next(self.venv.rglob("libgmlake.so"))):
            with self.subTest(preload=preload):
                env = self.environment(SIMCUDA_MEMORY="2GiB", GMLAKE_STATS_REPORT="none", LD_PRELOAD=preload)
                said = harness.run(program, self.plugin, env=env)
                self.assertEqual(said.returncode, 0, said.stderr)
                self.assertIn("out of memory on device 0", said.stderr)
                nothing, *caught, no_device, goes_on, again = said.stdout.splitlines()
                self.assertEqual((nothing, goes_on, again), ("nothing 1", "goes on 1", "again 1"))
                self.assertEqual(len(caught), 2)
                for line in caught:
                    self.assertRegex(line, r"^caught CUDA out of memory\. Tried to allocate 1024\.00 GiB on GPU 0\. .* 0\.06 GiB are in use")
                self.assertRegex(no_device, r"^caught CUDA error \d+ when gmlake")

    def test_enable(self):
        for how in ([], [self.venv / "bin" / "gmlake", "run", "--exec", "--"]):
            env = self.environment(PYTHONPATH=self.fake, GMLAKE_STATS_REPORT="none")
            said = harness.run(*how, self.venv / "bin" / "python", "-c", ENABLED, env=env)
            self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_enable_too_late(self):
        code = "import torch\ntorch.in_use = True\nimport gmlake.torch\ngmlake.torch.enable()"
        said = self.python(code, status=1, PYTHONPATH=self.fake)
        self.assertIn("RuntimeError: gmlake.torch.enable() comes too late", said.stderr)

    def test_a_torch_without_cuda(self):
        code = "import torch\ntorch.version.cuda = None\nimport gmlake.torch\ngmlake.torch.enable()"
        self.assertIn("this torch is not built for CUDA", self.python(code, status=1, PYTHONPATH=self.fake).stderr)

    def test_no_room_for_thread_local_variables(self):
        """What the loader says is passed on with what to do; and that helps, with a C library that knows it. docs/pytorch.md says how much is needed."""
        library = next(self.venv.rglob("libgmlake.so"))
        needed = re.search(r"^ *TLS( +0x\w+){4} +(0x\w+)", succeed("readelf", "--segments", "--wide", library), re.MULTILINE)[2]
        self.assertLessEqual(int(needed, 16), 1024)
        (self.folder / "greedy.c").write_text("__thread char much[1300]; char* f(void) { return much; }\n")
        greedy = self.folder / "greedy.so"
        succeed("cc", "-shared", "-fPIC", "-ftls-model=initial-exec", self.folder / "greedy.c", "-o", greedy)
        code = f"import ctypes\nctypes.CDLL('{greedy}')\nimport gmlake\nprint(gmlake.memory_allocated())"
        said = self.python(code, status=1)
        self.assertIn("start the program by `gmlake run`", said.stderr)
        self.assertEqual(self.python(code, GLIBC_TUNABLES="glibc.rtld.optional_static_tls=2048").stdout, "0\n")


if __name__ == "__main__":
    harness.main()
