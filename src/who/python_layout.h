// Where CPython keeps a thread's frames and what is known of them, by version: offsets in bytes, of
// 64-bit builds with the GIL and without Py_DEBUG.
//
// The source is each version's own headers: cpython/pystate.h, cpython/code.h (3.9: code.h),
// cpython/frameobject.h (3.11 and later: internal/pycore_frame.h), cpython/unicodeobject.h. They
// stay within a version 3.N, on which compiled extensions rely. No version is here that the tests
// have not been run with.
#pragma once

#include <cstddef>

#include "who/python_lines.h"

namespace gmlake::who {

struct PythonLayout {
  static constexpr std::size_t kNone = ~std::size_t{0};

  int minor;  // of 3.minor

  std::size_t thread_frame;  // PyThreadState: the innermost frame; where there is a cframe, that
  std::size_t cframe_frame;  // which then has it

  std::size_t previous, code, instruction;  // of a frame
  std::size_t owner;                        // kNone: all frames are Python's

  std::size_t first_line, file, name, lines;  // of a code object
  std::size_t bytecode;                       // kNone: an instruction is an int, its number
  std::size_t first_traceable;                // with `bytecode`: before that a frame is being made

  std::size_t bytes_of_number;  // without `bytecode`: of one instruction
  PythonLines::Kind kind_of_lines;

  std::size_t ascii_text, compact_text;  // sizes of the heads of str objects
};

// An owner from which on a frame is a mark that the interpreter's C code left for itself.
inline constexpr unsigned char kFirstOwnerOfMarks = 3;

// Of all objects, in all these versions.
inline constexpr std::size_t kPythonType = 8, kPythonSize = 16, kPythonBytes = 32;
// Of str: how many characters; the hash if it is known; bits.
inline constexpr std::size_t kPythonLength = 16, kPythonHash = 24, kPythonState = 32;

inline constexpr auto kNone = PythonLayout::kNone;
inline constexpr PythonLayout kPythonLayouts[] = {
    {9, 24, kNone, 24, 32, 104, kNone, 40, 104, 112, 120, kNone, kNone, 1, PythonLines::Kind::steps,
     48, 72},
    {10, 24, kNone, 24, 32, 96, kNone, 40, 104, 112, 120, kNone, kNone, 2,
     PythonLines::Kind::ranges, 48, 72},
    {11, 56, 8, 48, 32, 56, 69, 72, 112, 128, 136, 184, 168, 0, PythonLines::Kind::locations, 48,
     72},
    {12, 56, 0, 8, 0, 56, 70, 68, 112, 128, 136, 192, 176, 0, PythonLines::Kind::locations, 40, 56},
    {13, 72, kNone, 8, 0, 56, 70, 68, 112, 128, 136, 200, 184, 0, PythonLines::Kind::locations, 40,
     56},
};

// From 3.13 on the interpreter says itself how it is laid out, at the start of _PyRuntime
// (_Py_DebugOffsets, internal/pycore_runtime.h): what has to be at which place there.
struct PythonOffset {
  std::size_t at;
  std::size_t PythonLayout::*is;
};
inline constexpr std::size_t kPythonCookie = 0, kPythonVersion = 8, kPythonFreeThreaded = 16;
inline constexpr PythonOffset kPythonOffsets13[] = {
    {184, &PythonLayout::thread_frame}, {232, &PythonLayout::previous},
    {240, &PythonLayout::code},         {248, &PythonLayout::instruction},
    {264, &PythonLayout::owner},        {280, &PythonLayout::file},
    {296, &PythonLayout::name},         {304, &PythonLayout::lines},
    {312, &PythonLayout::first_line},   {344, &PythonLayout::bytecode},
    {560, &PythonLayout::ascii_text},
};

}  // namespace gmlake::who
