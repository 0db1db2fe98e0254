// Cuts a program that fails down to a short one that still does.
#pragma once

#include <cstddef>
#include <functional>

#include "streams/program.h"

namespace gmlake::streams {

// Without the operations [first, first + count): what they happened beside has fewer then.
Program without(const Program& program, std::size_t first, std::size_t count);

// `fails` is asked of correct programs only.
Program shrink(Program program, const std::function<bool(const Program&)>& fails);

}  // namespace gmlake::streams
