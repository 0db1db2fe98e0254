#!/usr/bin/env bash
# Without a driver, cudaGetLastError() never clears the error, and returns one before anything has failed.
#
# Expected: cudaGetLastError returns what the last call failed with and resets it: a second call returns 0. Before any
#   other call it returns 0. cudaGetDeviceCount says cudaErrorNoDevice (100), and cudaFree(NULL) does nothing and succeeds.
# Happened: all of them return cudaErrorInsufficientDriver (35), however often: cudaGetLastError needs the runtime
#   initialised like any other call, fails in that, and returns this new failure. cudaGetDeviceCount leaves the count as
#   it was. Only cudaDriverGetVersion and cudaRuntimeGetVersion succeed; the first with 0.
# Versions: nvidia-cuda-runtime 13.5.37 and nvidia-cuda-runtime-cu12 12.9.79. Only on machines without NVIDIA's driver
#   (builders, containers started without GPUs); elsewhere this exits with 77.
# Matters: "drain the errors until cudaSuccess" is an endless loop there; a destructor that checks cudaFree(NULL) fails; a
#   test for NoDevice alone lets the program go on with a count that nobody wrote.
# Source of the expectation: the reference of the runtime says of cudaGetLastError that it resets the error to
#   cudaSuccess, and of cudaFree that nothing is done for a null pointer.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
if python3 -c 'import ctypes; ctypes.CDLL("libcuda.so.1")' 2>/dev/null; then
    echo "skipped: this machine has NVIDIA's driver"
    exit 77
fi
"$dir/venv/bin/pip" install -q nvidia-cuda-runtime==13.5.37 nvidia-cuda-runtime-cu12==12.9.79
cd "$dir"
cat > calls.py <<'PY'
import ctypes, sys

runtime = ctypes.CDLL(sys.argv[1])
number = ctypes.c_int(-7)
first = runtime.cudaGetLastError()
count = runtime.cudaGetDeviceCount(ctypes.byref(number))
left = number.value
then = [runtime.cudaGetLastError() for _ in range(1000)]
free = runtime.cudaFree(None)
driver = runtime.cudaDriverGetVersion(ctypes.byref(number)), number.value
version = runtime.cudaRuntimeGetVersion(ctypes.byref(number)), number.value
print("cudaRuntimeGetVersion:", version, " cudaDriverGetVersion:", driver)
print("cudaGetLastError as the first call:", first)
print("cudaGetDeviceCount:", count, " the count, -7 before:", left)
print("cudaGetLastError 1000 times:", set(then), " cudaFree(NULL):", free)
sys.exit(0 if {first, count, free, *then} == {35} and left == -7 and driver == (0, 0) and version[0] == 0 else 1)
PY
site=$("$dir/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
"$dir/venv/bin/python" calls.py "$site/nvidia/cu13/lib/libcudart.so.13"
"$dir/venv/bin/python" calls.py "$site/nvidia/cuda_runtime/lib/libcudart.so.12"
