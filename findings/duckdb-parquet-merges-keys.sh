#!/usr/bin/env bash
# DuckDB reads unsigned 64-bit keys of a CSV file exactly, and writes them to Parquet as floating point: keys become equal.
#
# Expected: what DuckDB holds exactly comes back from its own Parquet file exactly, as it does from its own database file;
#   or the copy is refused.
# Happened: the keys are HUGEINT, 128 bits, after reading. COPY ... TO a Parquet file makes them DOUBLE without a word:
#   a group-by before the copy has three groups, after it two. Cast to UBIGINT first, the file is exact.
# Versions: duckdb 2.0.1, pyarrow 26.0.1, CPython 3.11.
# Matters: a log of allocations by stack hash, or of pool settings (a release threshold of 2^64-1 is CUDA's way to say
#   never), is kept as Parquet because it is smaller. About half of all hashes are from 2^63 on, and one of them in the
#   column is enough: then all keys beyond 2^53 are rounded.
# Source of the expectation: Parquet has unsigned 64-bit integers and decimals of 38 digits, and DuckDB writes both.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import sys
import duckdb
import pyarrow.parquet

print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}")
keys = [0x1234567890ABCDE1, 0x1234567890ABCDE2, 0x9234567890ABCDE3]  # the last makes the column 128 bits wide
with open("keys.csv", "w") as file:
    file.write("stack,bytes\n" + "".join(f"{key},4096\n" for key in keys))

def look(name, source):
    values = [row[0] for row in duckdb.sql(f"select stack from {source}").fetchall()]
    kind = duckdb.sql(f"select typeof(stack) from {source} limit 1").fetchall()[0][0]
    groups = len(duckdb.sql(f"select stack, sum(bytes) from {source} group by stack").fetchall())
    print(f"{name:28}{kind:8} {groups} groups, exact: {values == keys}")
    return kind, groups, values == keys

read = look("read from CSV", "read_csv('keys.csv')")
duckdb.sql("copy (select * from read_csv('keys.csv')) to 'keys.parquet'")
copied = look("copied to Parquet", "read_parquet('keys.parquet')")
duckdb.sql("copy (select stack::ubigint as stack, bytes from read_csv('keys.csv')) to 'cast.parquet'")
cast = look("cast first", "read_parquet('cast.parquet')")
stored = str(pyarrow.parquet.read_schema("keys.parquet").field("stack").type)
print("what the file says it is:", stored)
sys.exit(0 if read == ("HUGEINT", 3, True) and copied[:2] == ("DOUBLE", 2) and cast == ("UBIGINT", 3, True)
         and stored == "double" else 1)
PY
