#!/usr/bin/env bash
# cuda-bindings 12 asks for the local CUDA runtime and gets that of CUDA 13, as soon as its wheel is installed too.
#
# Expected: cuda-bindings 12.9 beside the wheels of both runtimes finds nvidia-cuda-runtime-cu12, its own major version.
#   The wheels are made to be installed side by side.
# Happened: getLocalRuntimeVersion() goes from 12090 to 13050 when nvidia-cuda-runtime (13) is added: cuda-pathfinder,
#   which finds libraries for it, looks into the folder of CUDA 13 first and does not ask who asks. In the same
#   process cudaRuntimeGetVersion() says 12090: cuda-bindings has a runtime linked in, too.
# Versions: cuda-bindings 12.9.10, cuda-pathfinder 1.9.1, nvidia-cuda-runtime-cu12 12.9.79, nvidia-cuda-runtime 13.5.37,
#   CPython 3.11.
# Matters: any package of the environment may bring the other runtime. Two runtimes in one process, of two majors, share
#   a context but not their state; whoever intercepts libcudart by its name has to expect both and neither.
# Source of the expectation: cuda-bindings' documentation ties its major version to that of the toolkit, and the wheels'
#   names carry the major version so that both can be installed.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
cat > "$dir/versions.py" <<'PY'
from cuda import pathfinder
from cuda.bindings import runtime
linked = int(runtime.cudaRuntimeGetVersion()[1])
local = int(runtime.getLocalRuntimeVersion()[1])
path = pathfinder.load_nvidia_dynamic_lib("cudart").abs_path.split("site-packages/")[-1]
print("linked in", linked, "- local", local, "-", path)
PY
"$dir/venv/bin/pip" install -q cuda-bindings==12.9.10 cuda-pathfinder==1.9.1 nvidia-cuda-runtime-cu12==12.9.79
echo "cuda-bindings 12.9.10, cuda-pathfinder 1.9.1"
before=$("$dir/venv/bin/python" "$dir/versions.py")
echo "nvidia-cuda-runtime-cu12 12.9.79:     $before"
"$dir/venv/bin/pip" install -q nvidia-cuda-runtime==13.5.37
after=$("$dir/venv/bin/python" "$dir/versions.py")
echo "and nvidia-cuda-runtime 13.5.37 too:  $after"
[[ $before == "linked in 12090 - local 12090 - "*libcudart.so.12 ]]
[[ $after == "linked in 12090 - local 13050 - "*libcudart.so.13 ]]
