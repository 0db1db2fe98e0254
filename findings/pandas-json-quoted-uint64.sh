#!/usr/bin/env bash
# pandas.read_json: a 64-bit number that protobuf quoted to keep it exact is the one that is rounded.
#
# Expected: protobuf writes 64-bit integers to JSON as strings, because many readers make doubles of numbers. So pandas gives
#   a string, or at least an exact uint64.
# Happened: pandas tries to make numbers of strings. From 2^63 on it gives float64: two ids that differ in their last
#   digits are one. The same numbers without quotes are read exactly, as uint64. So the precaution is the loss.
# Versions: pandas 3.1.1, protobuf 7.36.2, CPython 3.11.
# Matters: traces, metrics and profiles in protobuf's JSON carry correlation ids, stack hashes and sizes this way. Half of
#   all 64-bit hashes are above 2^63, and they are compared for equality.
# Source of the expectation: protobuf's description of its JSON mapping, which has 64-bit integers as decimal strings, and
#   read_json's, which speaks of inferring types, not of reading quoted values as numbers.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q pandas==3.1.1 protobuf==7.36.2
"$dir/venv/bin/python" - <<'PY'
import io, json, sys
import pandas
from google.protobuf import __version__, json_format, wrappers_pb2

print("pandas", pandas.__version__, "protobuf", __version__)
ids = [0xD15EA5EDF00D0001, 0xD15EA5EDF00D0002]

quoted = "[" + ", ".join('{"id": %s}' % json_format.MessageToJson(wrappers_pb2.UInt64Value(value=i)) for i in ids) + "]"
bare = json.dumps([{"id": i} for i in ids])
columns = {}
for name, text in (("protobuf's", quoted), ("bare", bare)):
    columns[name] = pandas.read_json(io.StringIO(text))["id"]
    print(f"{name:11}{text}\n           {columns[name].dtype} {columns[name].tolist()}"
          f" distinct: {columns[name].nunique()}")
ok = (columns["protobuf's"].dtype == "float64" and columns["protobuf's"].nunique() == 1
      and columns["bare"].tolist() == ids)
sys.exit(0 if ok else 1)
PY
