// Which line of its file an instruction of a code object is of, as CPython has packed that
// (Objects/lnotab_notes.txt, Objects/locations.md; InternalDocs/code_objects.md). Bytes of any
// kind may come: it stays within them.
#pragma once

#include <cstddef>
#include <span>

namespace gmlake::who {

struct PythonLines {
  enum class Kind {
    steps,      // co_lnotab, to 3.9: how much further in bytes, how much in lines
    ranges,     // co_linetable of 3.10: of so many bytes each, so much further in lines
    locations,  // co_linetable from 3.11 on: of so many units of 2 bytes each, and with columns
  };
  // `at`: of the instruction, in bytes from the first one. `first`: the code's first line, which it
  // is where nothing else is said.
  static long line_of(Kind kind, std::span<const unsigned char> table, long first, long at);
};

}  // namespace gmlake::who
