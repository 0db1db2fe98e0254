// CPython's objects in words, by looks that may fail (who/own_memory.h). They have to be there as
// long as this takes. Throws std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace gmlake::who {

struct PythonLayout;

// The types' addresses: an object that says it is of one of these is taken at its word.
struct PythonTypes {
  std::uintptr_t code = 0, text = 0, bytes = 0;
};

// A str as UTF-8, of at most so many bytes, with "..." where something is left out; what has no
// UTF-8 (half a pair of surrogates) as Python writes it, "\udc80". Nothing if it is no such object.
enum class Keep { start, end };
std::optional<std::string> text_of(const PythonLayout& layout, const PythonTypes& types,
                                   std::uintptr_t object, std::size_t most, Keep keep);

// "function (file:line)" of a code object and what its frame said of the instruction; "" for what
// is being made or has no name. Nothing if it is no code object.
std::optional<std::string> line_of(const PythonLayout& layout, const PythonTypes& types,
                                   std::uintptr_t code, std::uintptr_t instruction);

}  // namespace gmlake::who
