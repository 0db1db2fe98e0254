#!/usr/bin/env python3
"""What simcuda exports: every function that cuda.h documents, under each of its ELF names.

    generate_functions.py COMPILER CUDA_INCLUDE FUNCTIONS_DEF NEWER_DEF OUTPUT_DIR

functions.def names what is implemented. The rest of cuda.h is exported too, as it is from a real driver, and answers
"not supported". Written to OUTPUT_DIR: all_functions.def, the lines of functions.def in full and after them one line for
each other function, and unsupported.cpp, which defines those. newer.def adds functions that this cuda.h may not have
yet; those that it lacks are declared in newer_functions.h, to be included behind it.

The functions and their parameters are cuda.h's, preprocessed with every version and every per-thread variant
declared (driver/cuda_api.h). Their base names and versions are cudaTypedefs.h's: PFN_<base>_v<version>[_ptsz|_ptds].
The nth ELF name of a base (f, f_v2, f_v3) is its nth version. A line of functions.def that does not fit is an error.
"""

import collections
import re
import subprocess
import sys
from pathlib import Path

Function = collections.namedtuple("Function", "symbol base version suffix")


def declarations(compiler, include):
    """Parameters by ELF name, in the header's order."""
    text = subprocess.run([compiler, "-E", "-P", "-x", "c++", "-D__CUDA_API_VERSION_INTERNAL", include / "cuda.h"],
                          capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"\bCUresult (cu[A-Z]\w*) ?\(([^;]*)\);", " ".join(text.split())))


def documented(symbols, typedefs):
    """The functions behind those ELF names."""
    names, versions = collections.defaultdict(list), collections.defaultdict(list)
    for symbol in symbols:
        base, number, suffix = re.fullmatch(r"(cu\w+?)(?:_v(\d+))?(_ptsz|_ptds)?", symbol).groups("")
        names[base, suffix].append((int(number or 1), symbol))
    for base, version, suffix in re.findall(r"\(CUDAAPI \*PFN_(cu\w+?)_v(\d+)(_ptsz|_ptds)?\)", typedefs):
        versions[base, suffix].append(int(version))
    for key in names.keys() | versions.keys():
        if len(names[key]) != len(versions[key]):
            sys.exit(f"cuda.h and cudaTypedefs.h disagree on {key[0]}{key[1]}: {names[key]}, {versions[key]}")
    found = [Function(symbol, *key[:1], version, key[1]) for key in names
             for (_, symbol), version in zip(sorted(names[key]), sorted(versions[key]))]
    order = {symbol: i for i, symbol in enumerate(symbols)}
    return sorted(found, key=lambda function: order[function.symbol])


def implemented(functions_def):
    """What functions.def says, its S and D lines as the two functions they stand for."""
    for kind, symbol, base, version in re.findall(r"^([FSD])\((cu\w+), (\w+), (\d+)", functions_def, re.MULTILINE):
        yield Function(symbol, base, int(version), "")
        if kind != "F":
            suffix = {"S": "_ptsz", "D": "_ptds"}[kind]
            yield Function(symbol + suffix, base, max(int(version), 7000), suffix)


def newer(newer_def):
    """Functions and their parameters, from newer.def."""
    line = re.compile(r"^([NB])\((cu\w+), (\w+), (\d+),\s+\((.*?)\)\)$", re.MULTILINE | re.DOTALL)
    for kind, symbol, base, version, parameters in line.findall(newer_def):
        for suffix in ["", "_ptsz"] if kind == "B" else [""]:
            yield Function(symbol + suffix, base, int(version), suffix), parameters


def main():
    compiler, include, functions_def, newer_def, output = sys.argv[1], *map(Path, sys.argv[2:])
    parameters = declarations(compiler, include)
    every = documented(list(parameters), (include / "cudaTypedefs.h").read_text())
    lacking = {f: types for f, types in newer(newer_def.read_text()) if f.symbol not in parameters}
    every += lacking
    parameters |= {f.symbol: types for f, types in lacking.items()}
    here = list(implemented(functions_def.read_text()))
    wrong = [f"{functions_def}: {function} is not in cudaTypedefs.h" for function in set(here) - set(every)]
    if wrong or not here or len(here) != len(set(here)):
        sys.exit("\n".join(wrong) or f"{functions_def}: nothing, or a function twice")
    others = [function for function in every if function not in set(here)]

    output.mkdir(parents=True, exist_ok=True)
    lines = [f"F({f.symbol}, {f.base}, {f.version}, {'per_thread' if f.suffix else 'any'})" for f in here + others]
    (output / "all_functions.def").write_text("\n".join(lines) + "\n#undef F\n")
    declared = [f"CUresult {f.symbol}({types});" for f, types in lacking.items()]
    (output / "newer_functions.h").write_text(
        '#pragma once\n#pragma GCC visibility push(default)\nextern "C" {\n' +
        "\n".join(declared) + "\n}\n#pragma GCC visibility pop\n")
    stubs = [f"CUresult {f.symbol}({parameters[f.symbol]}) {{\n  SIM_ENTER();\n  return CUDA_ERROR_NOT_SUPPORTED;\n}}"
             for f in others]
    (output / "unsupported.cpp").write_text('#include "entry.h"\n' + "\n".join(stubs) + "\n")


if __name__ == "__main__":
    main()
