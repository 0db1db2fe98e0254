"""The machine that is looked at: which driver the loader finds, which GPU, where CUDA's libraries are."""

import ctypes
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

# Run in a child with the environment the programs will have, so that it meets the libcuda they will meet.
IDENTIFY = """
import ctypes, json
cuda = ctypes.CDLL("libcuda.so.1")
device, name, version, total = ctypes.c_int(), ctypes.create_string_buffer(100), ctypes.c_int(), ctypes.c_size_t()
codes = [cuda.cuInit(0), cuda.cuDeviceGet(ctypes.byref(device), 0), cuda.cuDeviceGetName(name, 100, device),
         cuda.cuDriverGetVersion(ctypes.byref(version)), cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)]
print(json.dumps({"simulated": hasattr(cuda, "simcuda_call_count"), "codes": codes, "gpu": name.value.decode(),
                  "cuda_driver_version": version.value, "total_bytes": total.value}))
"""

# Without importing them, which takes long.
PACKAGES = """
import importlib.metadata as m
found = {d.metadata["Name"].lower(): d.version for d in m.distributions() if d.metadata["Name"]}
print(", ".join(f"{n} {v}" for n, v in sorted(found.items()) if n in ("torch", "torch-geometric", "transformers", "jax", "numpy") or n.startswith(("cupy", "numba", "rmm"))))
"""


class NoDriver(Exception):
    pass


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else None


def clean_environment():
    """The caller's environment without what would change how the programs meet CUDA or gmlake."""
    return {k: v for k, v in os.environ.items() if not re.match(r"GMLAKE_|SIMCUDA_|LD_PRELOAD|PYTORCH_|XLA_", k)}


class Machine:
    def __init__(self, build, simulated, python):
        self.python = python
        self.environment = clean_environment()
        self.nvcc = shutil.which("nvcc") or (shutil.which("nvcc", path="/usr/local/cuda/bin"))
        roots = [Path(self.nvcc).resolve().parents[1]] if self.nvcc else []
        roots += [Path(os.environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
        roots.append(Path("/usr/local/cuda"))
        self.toolkit = next((root for root in roots if (root / "include" / "cuda.h").exists()), roots[-1])
        if simulated:
            self.environment["LD_LIBRARY_PATH"] = str(build / "lib" / "simcuda")
        self.found = self.identify()
        self.simulated = self.found["simulated"]
        self.cudart = None if self.simulated else self.folder_of("libcudart.so.13")
        self.cublas = None if self.simulated else self.folder_of("libcublas.so.13") or self.folder_of("libcublas.so.12")

    def identify(self):
        done = subprocess.run([sys.executable, "-c", IDENTIFY], env=self.environment, capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            raise NoDriver(done.stderr.strip().splitlines()[-1])
        found = json.loads(done.stdout)
        if any(found["codes"]):
            raise NoDriver(f"libcuda.so.1 answers {found['codes']} to cuInit and the first questions about device 0")
        return found

    def folder_of(self, library):
        """Where a CUDA library is: beside nvcc, or in a Python package."""
        site = first_line(self.python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])") or ""
        for folder in [self.toolkit / "lib64", self.toolkit / "targets" / "x86_64-linux" / "lib",
                       Path("/usr/local/cuda/lib64"), *map(Path, sorted(glob.glob(site + "/nvidia/*/lib")))]:
            if (folder / library).exists():
                return folder
        return None

    def program_environment(self):
        """For programs that are linked against a shared cudart or look for cuBLAS."""
        environment = dict(self.environment)
        folders = [environment.get("LD_LIBRARY_PATH"), self.cudart, self.cublas]
        environment["LD_LIBRARY_PATH"] = ":".join(str(f) for f in folders if f)
        return environment

    def description(self):
        smi = first_line("nvidia-smi", "--query-gpu=driver_version,vbios_version,pci.bus_id", "--format=csv,noheader")
        smi = [field.strip() for field in (smi or "unknown,unknown,unknown").split(",")]
        cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        version = self.found["cuda_driver_version"]
        nvcc = subprocess.run([self.nvcc, "--version"], capture_output=True, text=True).stdout if self.nvcc else ""
        release = re.search(r"release ([\d.]+)", nvcc)
        packages = None if self.simulated else first_line(self.python, "-c", PACKAGES)
        return {"gpu": self.found["gpu"], "simulated": self.simulated, "driver": "simcuda" if self.simulated else smi[0],
                "cuda_of_driver": f"{version // 1000}.{version % 1000 // 10}",
                "memory_mib": self.found["total_bytes"] >> 20, "toolkit": release.group(1) if release else None,
                "cudart": str(self.cudart), "packages": packages, "cpu": cpu.group(1) if cpu else platform.processor(),
                "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}


class MemorySampler:
    """The most device memory in use, over all processes, while it runs: from NVML, every few milliseconds."""

    PERIOD = 0.004

    def __init__(self):
        class Memory(ctypes.Structure):
            _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]

        self.memory = Memory()
        self.device = ctypes.c_void_p()
        self.peak = None
        self.stop = threading.Event()
        try:
            self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
            failed = self.nvml.nvmlInit_v2() or self.find()
        except (OSError, AttributeError):
            failed = True
        if failed:
            self.nvml = None

    def find(self):
        """The device that the programs see first: NVML itself knows nothing of CUDA_VISIBLE_DEVICES."""
        first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
        if first.isdigit():
            return self.nvml.nvmlDeviceGetHandleByIndex_v2(int(first), ctypes.byref(self.device))
        return self.nvml.nvmlDeviceGetHandleByUUID(first.encode(), ctypes.byref(self.device))

    def used(self):
        if not self.nvml or self.nvml.nvmlDeviceGetMemoryInfo(self.device, ctypes.byref(self.memory)):
            return None
        return self.memory.used

    def __enter__(self):
        self.peak = self.before = self.used()
        self.stop.clear()
        if self.before is not None:
            self.thread = threading.Thread(target=self.sample, daemon=True)
            self.thread.start()
        return self

    def sample(self):
        while not self.stop.wait(self.PERIOD):
            self.peak = max(self.peak, self.used() or 0)

    def __exit__(self, *_):
        if self.before is not None:
            self.stop.set()
            self.thread.join()

    def above_before(self):
        return None if self.before is None else max(0, self.peak - self.before)
