#!/usr/bin/env bash
# pyarrow and DuckDB read a column of 0x... addresses as integers, until one row says (nil).
#
# Expected: the Pointer column of an allocation log is text in every CSV reader, as in pandas and Polars: 0x7f... is not
#   how CSV files write numbers.
# Happened: pyarrow and DuckDB infer 64-bit integers. One failed allocation, logged with (nil), makes the whole column
#   text; and pyarrow reads 0xffff800000000000 as a negative number, because hexadecimal digits fill a signed
#   integer bit by bit.
# Versions: pyarrow 26.0.1, duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, CPython 3.11.
# Matters: a script that joins or filters logs by "0x..." text, or by number, works on one log and fails on the next,
#   depending on whether an allocation failed in that run. Readers that are swapped for speed change the type.
# Source of the expectation: RFC 4180 knows no types, and the two readers that most people compare with keep the text;
#   pyarrow's guide to CSV names the types its inference tries one after the other, int64 as a plain integer.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1 polars==2.1.0
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import sys
import duckdb, pandas, polars, pyarrow, pyarrow.csv

print(*(f"{m.__name__} {m.__version__}" for m in (pyarrow, duckdb, pandas, polars)), sep=", ")

def read(name, rows):
    with open(name, "w") as file:
        file.write("Action,Pointer,Size\n" + "".join(f"{row}\n" for row in rows))
    return {
        "pyarrow": pyarrow.csv.read_csv(name)["Pointer"].to_pylist(),
        "duckdb": [row[0] for row in duckdb.sql(f"select Pointer from read_csv('{name}')").fetchall()],
        "pandas": pandas.read_csv(name)["Pointer"].tolist(),
        "polars": polars.read_csv(name)["Pointer"].to_list(),
    }

good = ["allocate,0x7f0000000000,4194304", "free,0x7f0000000000,4194304"]
results = []
for name, rows in (("ran.csv", good), ("failed.csv", good + ["allocate failure,(nil),8388608"])):
    results.append(read(name, rows))
    print(name)
    for reader, values in results[-1].items():
        print(f"  {reader:8}{values}")
with open("high.csv", "w") as file:
    file.write("Pointer\n0xffff800000000000\n")
high = pyarrow.csv.read_csv("high.csv")["Pointer"].to_pylist()
print("pyarrow, 0xffff800000000000:", high)

text, number = "0x7f0000000000", 0x7F0000000000
ran, failed = results
ok = (all(ran[r] == [number] * 2 for r in ("pyarrow", "duckdb")) and all(ran[r] == [text] * 2 for r in ("pandas", "polars"))
      and all(values == [text, text, "(nil)"] for values in failed.values()) and high == [-0x800000000000])
sys.exit(0 if ok else 1)
PY
