"""Includes run one way: hooks -> pool -> {memory, stream} -> support. The driver is handed in
from above: stream and pool see its seam, driver/device.h, and nothing behind it.

Every folder under src/ and hooks/ must be listed here with the folders its files may include, and CUDA's headers
are for hooks and driver alone.
"""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
ANY = "*"
MAY_INCLUDE = {
    "support": set(),
    "config": {"support"},
    "stats": {"support"},
    "record": {"support", "stats"},
    "who": {"support", "stats"},
    "memory": {"support"},
    "stream": {"support", "driver/device.h"},
    "driver": {"support", "stats"},
    "ipc": {"support", "driver/device.h"},
    "pool": {"support", "config", "stats", "memory", "stream", "driver/device.h"},
    "hooks": {ANY},
}
CUDA_ALLOWED = {"driver", "hooks"}
CUDA_HEADER = re.compile(r"(cuda|cudart|driver_types|vector_types|nvtx)[A-Za-z_0-9]*\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)


def layer_of(path):
    return "hooks" if path.is_relative_to(SOURCE / "hooks") else path.relative_to(SOURCE / "src").parts[0]


def problem(layer, include):
    """Why a file of that layer may not include that, or None."""
    if CUDA_HEADER.fullmatch(include):
        return None if layer in CUDA_ALLOWED else "CUDA's headers are for driver and hooks"
    folder = include.split("/")[0]
    if "/" not in include or folder not in MAY_INCLUDE or folder == layer:
        return None
    if {ANY, folder, include} & MAY_INCLUDE[layer]:
        return None
    return f"{layer} may include only {', '.join(sorted(MAY_INCLUDE[layer])) or 'itself'}"


def main():
    wrong = []
    files = [p for top in ("src", "hooks") for p in (SOURCE / top).rglob("*") if p.suffix in {".h", ".cpp", ".def", ".S"}]
    for path in sorted(files):
        layer = layer_of(path)
        if layer not in MAY_INCLUDE:
            wrong.append(f"{path.relative_to(SOURCE)}: {layer} is no layer; list it in {Path(__file__).name}")
            continue
        for include in INCLUDE.findall(path.read_text()):
            if why := problem(layer, include):
                wrong.append(f"{path.relative_to(SOURCE)}: includes {include}: {why}")
    # The rules themselves: each would let a forbidden include through if it were written wrongly.
    for layer, include in [("memory", "driver/device.h"), ("memory", "cuda.h"), ("pool", "driver/cuda_device.h"),
                           ("support", "config/config.h"), ("stream", "memory/fence.h"), ("pool", "cuda_runtime.h")]:
        if problem(layer, include) is None:
            wrong.append(f"check_layers.py: lets {layer} include {include}")
    print("\n".join(wrong) if wrong else f"{len(files)} files, all includes run one way")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
