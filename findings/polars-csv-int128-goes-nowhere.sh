#!/usr/bin/env bash
# One unsigned 64-bit number in a CSV file makes Polars' column 128 bits wide, and then nobody else can read what it writes.
#
# Expected: a column of numbers up to 2^64-1 is UInt64, which Arrow, Parquet and NumPy have.
# Happened: it is Int128, in Polars exact. Written to Parquet without a warning, pyarrow refuses the whole file, also for
#   its other columns, and DuckDB gives 16 bytes as a BLOB; to_arrow, to_pandas and to_numpy raise. Told the type
#   (schema_overrides), all of them are exact.
# Versions: polars 2.1.0, pyarrow 26.0.1, duckdb 2.0.1, pandas 3.1.1, CPython 3.11.
# Matters: traces have such numbers in few rows (a stack hash from 2^63 on, or 2^64-1 for "none" or "no limit"), so that
#   one day's file can be read by the others and the next day's can not.
# Source of the expectation: Polars has UInt64, and gives it when it is told; Parquet's integers have at most 64 bits.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import sys
import duckdb, pandas, polars, pyarrow, pyarrow.parquet

print(*(f"{m.__name__} {m.__version__}" for m in (polars, pyarrow, duckdb, pandas)), sep=", ")

def outcome(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:70]}"

def look(rows, **settings):
    with open("trace.csv", "w") as file:
        file.write("stack,bytes\n" + "".join(f"{key},4096\n" for key in rows))
    frame = polars.read_csv("trace.csv", **settings)
    frame.write_parquet("trace.parquet")
    said = {
        "type": str(frame.schema["stack"]),
        "Polars, back": polars.read_parquet("trace.parquet")["stack"].to_list() == rows,
        "pyarrow, the other column": outcome(
            lambda: pyarrow.parquet.read_table("trace.parquet", columns=["bytes"]).num_rows == len(rows)),
        "DuckDB": outcome(lambda: duckdb.sql("select typeof(stack) from read_parquet('trace.parquet') limit 1").fetchall()[0][0]),
        "to_pandas": outcome(lambda: frame.to_pandas()["stack"].tolist() == rows),
        "to_numpy": outcome(lambda: frame["stack"].to_numpy().tolist() == rows),
    }
    print(f"{rows} {settings or ''}")
    for what, value in said.items():
        print(f"  {what:28}{value}")
    return said

small = look([0x1234567890ABCDE1, 0x1234567890ABCDE2])
large = look([0x1234567890ABCDE1, 0x9234567890ABCDE2])
told = look([0x1234567890ABCDE1, 0x9234567890ABCDE2], schema_overrides={"stack": polars.UInt64})
right = {"Polars, back": True, "pyarrow, the other column": True, "to_pandas": True, "to_numpy": True}
refused = all("Error:" in str(large[what]) or "Invalid" in str(large[what]) for what in ("to_pandas", "to_numpy"))
sys.exit(0 if small == {"type": "Int64", "DuckDB": "BIGINT", **right} and told == {"type": "UInt64", "DuckDB": "UBIGINT", **right}
         and large["type"] == "Int128" and large["Polars, back"] is True and large["DuckDB"] == "BLOB" and refused
         and str(large["pyarrow, the other column"]).startswith("ArrowNotImplementedError") else 1)
PY
