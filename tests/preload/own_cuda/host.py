"""What host.c does, from Python: the calls come from libffi, by functions that were looked up.

usage: host.py NAMES HOW:LIBRARY...
"""

import ctypes
import mmap
import os
import sys

MIB = 1 << 20
FLAGS = {"n": os.RTLD_NOW, "z": os.RTLD_LAZY, "g": os.RTLD_GLOBAL, "d": os.RTLD_DEEPBIND, "r": 0}
libc = ctypes.CDLL(None)
libc.dlclose.argtypes = [ctypes.c_void_p]


class Api:
    def __init__(self, names, mode, path):
        self.library = ctypes.CDLL(path, mode)
        plug = names == "plug"
        self.alloc_ = self.library["plug_alloc" if plug else "cudaMalloc"]
        self.free_ = self.library["plug_free" if plug else "cudaFree"]
        self.last = self.library["plug_last" if plug else "cudaGetLastError"]
        self.version_ = self.library["plug_version" if plug else "cudaRuntimeGetVersion"]

    def alloc(self, size):
        at = ctypes.c_void_p()
        return self.alloc_(ctypes.byref(at), ctypes.c_size_t(size)), at

    def free(self, at):
        return self.free_(at)

    def version(self):
        found = ctypes.c_int()
        return self.version_(ctypes.byref(found)), found.value


def use(api):
    print("version", *api.version())
    blocks = []
    for i in range(4):
        result, at = api.alloc((i + 1) * MIB)
        print("alloc", result)
        blocks.append(at)
    print("last", api.last())
    print(f"too much {api.alloc(1 << 50)[0]}, last {api.last()} then {api.last()}")
    print(f"wrong pointer {api.free(ctypes.c_void_p(0x1234000))}, last {api.last()} then {api.last()}")
    for at in blocks:
        print("free", api.free(at))


def cross(a, b):
    print("a: too much", a.alloc(1 << 50)[0])
    print("b: last", b.last())
    print("b: wrong pointer", b.free(ctypes.c_void_p(0x1234000)))
    print(f"a: last {a.last()}, b: last {b.last()}")
    result, at = a.alloc(5 * MIB)
    print("a: alloc", result)
    print(f"b: free {b.free(at)}, a: again {a.free(at)}, last {a.last()} and {b.last()}")


def main():
    names, apis, taken = sys.argv[1], [], []
    for what in sys.argv[2:]:
        how, path = what.split(":", 1)
        mode = sum(FLAGS[letter] for letter in how)
        rounds = 3 if "r" in how else 1
        for _ in range(rounds):
            api = Api(names, mode, path)
            use(api)
            if rounds == 1:
                apis.append(api)
                continue
            print("closed", libc.dlclose(api.library._handle))
            taken.extend(mmap.mmap(-1, (k + 1) * 65536) for k in range(50))
    for api in apis[1:]:
        cross(apis[0], api)
        cross(api, apis[0])


if __name__ == "__main__":
    main()
