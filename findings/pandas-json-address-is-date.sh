#!/usr/bin/env bash
# pandas.read_json turns an address into a date because its column is called mapped_at, and tries the unit on the values.
#
# Expected: integers of a JSON file are integers: {"mapped_at": 139900000000000, "alloc_time": 4000000000}.
# Happened: mapped_at, an address, is a day in 1974. Columns whose names end in _at or _time (and a few more) are made
#   dates if their numbers are large enough. The unit is the first of s, ms, us and ns that fits all values: alloc_time
#   4000000000 alone is in the year 2096, together with 12000000000 it is in February 1970, and 12 alone stays 12.
# Versions: pandas 3.1.1, CPython 3.11.
# Matters: monotonic times in ns or us and addresses are what allocation records are made of. One later record changes the
#   unit of all earlier ones, and records of a short run have another type than those of a long one.
# Source of the expectation: JSON has no dates, and an option that makes some is taken for one that has to be asked for.
#   read_json's reference does tell the names, under an option that is on unless switched off; that the unit is found
#   by trying it on the values is there too, in half a sentence.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q pandas==3.1.1
"$dir/venv/bin/python" - <<'PY'
import io, json, sys
import pandas

print("pandas", pandas.__version__)

def read(*records):
    text = json.dumps(records)
    frame = pandas.read_json(io.StringIO(text))
    print(text)
    for name in frame:
        print(f"    {name:11}{str(frame[name].dtype):16}{[str(value) for value in frame[name]]}")
    return frame

one = read({"mapped_at": 139900000000000, "address": 139900000000000, "alloc_time": 4000000000})
two = read({"alloc_time": 4000000000}, {"alloc_time": 12000000000})
low = read({"alloc_time": 12})
ok = (one["mapped_at"][0] == pandas.Timestamp("1974-06-08 05:06:40") and one["address"][0] == 139900000000000
      and one["alloc_time"][0] == pandas.Timestamp("2096-10-02 07:06:40")
      and two["alloc_time"][0] == pandas.Timestamp("1970-02-16 07:06:40") and low["alloc_time"].dtype == "int64")
sys.exit(0 if ok else 1)
PY
