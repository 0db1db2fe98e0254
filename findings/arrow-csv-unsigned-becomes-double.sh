#!/usr/bin/env bash
# pyarrow reads unsigned 64-bit numbers of a CSV file as floating point: different keys become equal.
#
# Expected: a column of integers from 2^63 on is uint64, or an error; it stays exact, as in pandas, Polars and DuckDB.
# Happened: pyarrow makes it double. Two hashes (or two kernel addresses 512 bytes apart) are one number afterwards, and
#   a group-by has one group. The same value in hexadecimal, 0x..., is read exactly, but as a negative number. No warning.
# Versions: pyarrow 26.0.1, pandas 3.1.1, polars 2.1.0, duckdb 2.0.1, CPython 3.11.
# Matters: stack hashes, correlation ids and addresses in the upper half are unsigned 64-bit numbers; about half of all
#   hashes are above 2^63. Only those collide, so half of the groups look right. pandas itself does this when it is
#   told engine="pyarrow" to be faster.
# Source of the expectation: Arrow has uint64, and its guide to CSV says that the type is inferred from the values.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1 polars==2.1.0
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import sys
import duckdb, pandas, polars, pyarrow, pyarrow.csv

print(*(f"{m.__name__} {m.__version__}" for m in (pyarrow, duckdb, pandas, polars)), sep=", ")
keys = [0xFFFFEA0004A0C000, 0xFFFFEA0004A0C200]

def write(name, form):
    with open(name, "w") as file:
        file.write("stack,bytes\n" + "".join(f"{key:{form}},4096\n" for key in keys))

write("decimal.csv", "d")
write("hexadecimal.csv", "#x")
results = {
    "pyarrow": pyarrow.csv.read_csv("decimal.csv")["stack"].to_pylist(),
    "pandas, engine=pyarrow": pandas.read_csv("decimal.csv", engine="pyarrow")["stack"].tolist(),
    "pandas": pandas.read_csv("decimal.csv")["stack"].tolist(),
    "polars": polars.read_csv("decimal.csv")["stack"].to_list(),
    "duckdb": [row[0] for row in duckdb.sql("select stack from read_csv('decimal.csv')").fetchall()],
    "pyarrow, 0x...": pyarrow.csv.read_csv("hexadecimal.csv")["stack"].to_pylist(),
}
print(f"{'written':24}{keys}")
for reader, values in results.items():
    print(f"{reader:24}{values}  distinct: {len(set(values))}")
exact = [results[reader] == keys for reader in ("pandas", "polars", "duckdb")]
lost = [len(set(results[reader])) == 1 for reader in ("pyarrow", "pandas, engine=pyarrow")]
signed = results["pyarrow, 0x..."] == [key - (1 << 64) for key in keys]
sys.exit(0 if all(exact) and all(lost) and signed else 1)
PY
