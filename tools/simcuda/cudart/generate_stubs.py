"""Writes a function that answers cudaErrorNotSupported for every runtime function that the installed
headers declare and the given object files do not define.

usage: generate_stubs.py --include DIR --nm NM --out FILE OBJECT...
"""

import argparse
import pathlib
import re
import subprocess

# Where libcudart's functions are declared. GL's and VDPAU's headers need not be installed: nothing is compiled.
HEADERS = ("cuda_runtime_api.h", "cuda_profiler_api.h", "cuda_gl_interop.h", "cuda_egl_interop.h",
           "cuda_vdpau_interop.h")


def plain(text):
    """The text without comments and without what is for Windows."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    lines, depth = [], 0
    for line in text.splitlines():
        if depth or re.match(r"\s*#\s*ifdef\s+_WIN32\b", line):
            depth += bool(re.match(r"\s*#\s*if", line)) - bool(re.match(r"\s*#\s*endif", line))
        else:
            lines.append(line)
    return "\n".join(lines)


def declared(include):
    """The names, each per-thread variant (`cudaMemcpy_ptds`) as the macros at the head of the header spell it."""
    names = set()
    for header in HEADERS:
        text = plain((include / header).read_text(encoding="utf-8"))
        names.update(re.findall(r"\bCUDARTAPI(?:_CDECL)?\s+(cuda\w+)\s*\(", text))
        for name, flavour in re.findall(r"#\s*define\s+(\w+)\s+__CUDART_API_(PTSZ|PTDS)\(\w+\)", text):
            names.add(f"{name}_{flavour.lower()}")
    return names


def defined(nm, objects):
    lines = subprocess.run([nm, "--defined-only", "--format=posix", *objects], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if " T " in line}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--include", type=pathlib.Path, required=True)
    parser.add_argument("--nm", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("objects", nargs="+")
    options = parser.parse_args()
    stubs = sorted(declared(options.include) - defined(options.nm, options.objects))
    options.out.write_text(
        "// Written by generate_stubs.py. The headers are not included: these functions never look at arguments.\n"
        "#include \"api.h\"\n"
        "namespace gmlake::simcudart {\nint refuse();\n}\n"
        "#define STUB(name)                      \\\n"
        "  extern \"C\" SIMCUDART_API int name() { \\\n"
        "    return gmlake::simcudart::refuse();   \\\n"
        "  }\n" + "".join(f"STUB({name})\n" for name in stubs), encoding="utf-8")


if __name__ == "__main__":
    main()
