#!/usr/bin/env bash
# accelerate's batch-size finder does not know PyTorch's own out of memory where the allocator is cudaMallocAsync.
#
# Guessed: find_executable_batch_size halves the batch at any torch.OutOfMemoryError, whichever allocator raised it.
# Happened: it looks for words in the message, not at the type. PyTorch has two wordings of one exception: "CUDA out of
#   memory. Tried to allocate ..." of its caching allocator, and "Allocation on device N would exceed allowed memory. (out
#   of memory)" of backend:cudaMallocAsync, which lacks the full stop that is looked for. So the second ends the program at
#   the first try. Lightning's finder, beside it, looks for "CUDA" and "out of memory" anywhere, and knows the second by a
#   line further down in it, "Free (according to CUDA)", and without that line it does not.
# Versions: torch 2.11.0, accelerate 1.15.0, pytorch-lightning 2.6.6, CPython 3.11. No GPU is needed: the exceptions are
#   raised by hand, with words that are in PyTorch's libc10_cuda.so. Some 3 GB are downloaded.
# Matters: whoever changes the allocator to have fewer out of memory loses what handles the rest.
# Source of the expectation: accelerate's reference says that the decorated function is retried "if it fails from
#   exceptions related to out-of-memory or CUDNN".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.11.0 accelerate==1.15.0 pytorch-lightning==2.6.6 numpy==2.4.6
"$dir/venv/bin/python" - <<'PY'
import pathlib
import sys

import accelerate, pytorch_lightning, torch
from accelerate import find_executable_batch_size
from pytorch_lightning.utilities.memory import is_oom_error

print("torch", torch.__version__, "accelerate", accelerate.__version__, "pytorch-lightning", pytorch_lightning.__version__)
ENDS = {"caching": ("CUDA out of memory. Tried to allocate ", "2.00 GiB."),
        "cudaMallocAsync": (" would exceed allowed memory. (out of memory)", "\nFree (according to CUDA): 1.00 GiB")}
library = (pathlib.Path(torch.__file__).parent / "lib" / "libc10_cuda.so").read_bytes()
seen = {}
for allocator, (words, rest) in ENDS.items():
    if words.encode() not in library:
        sys.exit(f"PyTorch does not say {words!r} any more")
    message = ("" if allocator == "caching" else "Allocation on device 0") + words + rest

    @find_executable_batch_size(starting_batch_size=64)
    def train(batch_size):
        if batch_size > 16:
            raise torch.OutOfMemoryError(message)
        return batch_size

    try:
        found = train()
    except torch.OutOfMemoryError:
        found = "ended at the first try"
    known = [is_oom_error(torch.OutOfMemoryError(words)) for words in (message, message.splitlines()[0])]
    seen[allocator] = (found, *known)
    print(f"{allocator:18}accelerate: {found!s:26}Lightning knows it: {known[0]}, by its first line: {known[1]}")
sys.exit(0 if seen == {"caching": (15, True, True), "cudaMallocAsync": ("ended at the first try", True, False)} else 1)
PY
