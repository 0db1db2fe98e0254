"""Asks for memory from many places in Python, 1 MiB each time, and says from where, as the interpreter has it.

    program.py MODE [FOLDER]

A line of JSON for each: the frames, innermost first, as [function, file, line]. With ASK_WITH_GIL the calls keep the GIL.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import json
import os
import sys
import threading
import time

MIB = 1 << 20
cudart = (ctypes.PyDLL if os.environ.get("ASK_WITH_GIL") else ctypes.CDLL)("libcudart.so.12")


def say():
    frame, frames = sys._getframe(1), []
    while frame and len(frames) < 8:
        code = frame.f_code
        frames.append([getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno])
        frame = frame.f_back
    print(json.dumps(frames), flush=True)


def ask(*_):  # on one line
    return say(), cudart.cudaMalloc(ctypes.byref(ctypes.c_void_p()), ctypes.c_size_t(MIB)) == 0 or sys.exit("no memory")


class Layer:
    def __init__(self):
        ask()

    def forward(self, depth):
        return ask() if depth == 0 else self.forward(depth - 1)

    @property
    def grad(self):
        return ask()

    def __getattr__(self, name):
        return ask()


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper


@decorated
def step():
    ask(
        1,
        2)
    (ask
     (
         1 if True
         else 2
     ))


def steps():
    for _ in range(3):
        yield ask()


def more_steps():
    yield from steps()
    yield ask()


async def later():
    async def inner():
        return ask()
    return await inner()


@contextlib.contextmanager
def scope():
    try:
        yield
    finally:
        ask()


def calls():
    for _ in range(100):  # often enough for an interpreter that learns
        Layer()
    layer = Layer()
    layer.forward(2)
    layer.forward(20)
    layer.grad
    layer.anything
    step()
    list(more_steps())
    with contextlib.suppress(StopIteration):
        later().send(None)
    [ask() for _ in range(2)]
    (lambda: ask())()
    sorted([1, 2], key=ask)
    list(map(functools.partial(ask, 1), [1]))
    with scope():
        pass
    try:
        raise KeyError
    except KeyError:
        ask()
    eval("ask()")


def long_code():
    """Lines far from each other, up and down, and instructions far from the first one."""
    source = ["def far():"]
    for gap in (1, 100, 130, 260, 1000):
        source += ["    x = 0"] + [""] * gap + ["    ask()"]
    source += ["    " + "; ".join(f"v{i} = {i}" for i in range(400)) + "; ask()"]
    source += ["    y = [", *["        0,"] * 300, "        ask(),", "    ]"]
    source += ["    for i in range(2):", *["        x = i"] * 200, "        ask(i)"]
    scope = {"ask": ask}
    exec(compile("\n".join(source), "far.py", "exec"), scope)
    scope["far"]()


NAMES = [("ascii", "plain.py"), ("gr\u00f6\u00dfe", "caf\u00e9/x.py"), ("\u043c\u043e\u0434\u0435\u043b\u044c", "\u6a21\u578b.py"),
         ("f", "\U0001f40d.py"), ("f", "half\udcff.py"), ("f", "a\nb\x1b[2J\x9b.py"), ("g" * 200, "/x" * 150 + "/end.py")]


def names():
    for name, file in NAMES:
        scope = {"ask": ask}
        exec(compile(f"def {name}():\n    ask()", file, "exec"), scope)
        scope[name]()


def gone():
    """Code that goes, after which other code comes, at the same address."""
    places = set()
    for i in range(40):
        scope = {"ask": ask}
        exec(compile("def f():\n    ask()", f"/of a folder/{i:04}.py", "exec"), scope)
        places.add(id(scope["f"].__code__))
        scope["f"]()
        del scope
        gc.collect()
    print(json.dumps(len(places)))


def threads():
    thread = threading.Thread(target=calls)
    thread.start()
    thread.join()
    native = ctypes.CDLL(os.environ["NATIVE_THREAD"])
    print(json.dumps([]))
    assert native.ask_on_a_thread(ctypes.c_size_t(MIB)) == 0


def fork():
    """A child of before the first call notes by itself; one of after it does not note."""
    if os.environ["FORK"] == "after":
        ask()
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        return
    if os.environ["FORK"] == "before":
        calls()
    else:
        for _ in range(3):
            cudart.cudaMalloc(ctypes.byref(ctypes.c_void_p()), ctypes.c_size_t(MIB))


def at_exit():
    atexit.register(calls)


class Last:
    """Asks while the interpreter is taken down, when there is nobody left to say so."""
    malloc, byref, pointer, size = cudart.cudaMalloc, ctypes.byref, ctypes.c_void_p, ctypes.c_size_t

    def __del__(self):
        self.malloc(type(self).byref(self.pointer()), self.size(MIB))


def end():
    """Threads that nobody waits for go on asking until the process is gone."""
    def ask_on():
        while True:
            at = ctypes.c_void_p()
            if cudart.cudaMalloc(ctypes.byref(at), ctypes.c_size_t(MIB)) == 0:
                cudart.cudaFree(at)
    sys.last = Last()
    for _ in range(4):
        threading.Thread(target=ask_on, daemon=True).start()
    time.sleep(0.1)


def refused():
    """The kernel refuses looks (process_vm_readv, as number 310 of x86-64 and 270 of arm64), as in some containers."""
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    number = {"x86_64": 310, "aarch64": 270}[os.uname().machine]
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    code = b"".join(op.to_bytes(2, "little") + bytes([yes, no]) + value.to_bytes(4, "little") for op, yes, no, value in steps)
    kept = ctypes.create_string_buffer(code, len(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), ctypes.addressof(kept)))) == 0  # PR_SET_SECCOMP
    calls()


def wait():
    ask()
    print("ready", flush=True)
    time.sleep(600)


def exhaust():
    def hold():
        return cudart.cudaMalloc(ctypes.byref(ctypes.c_void_p()), ctypes.c_size_t(64 * MIB))
    while hold() == 0:
        pass


if __name__ == "__main__":
    globals()[sys.argv[1]]()
