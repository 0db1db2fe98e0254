// Cuts a program that fails down to a short one that still does.
#pragma once

#include <functional>

#include "streams/program.h"

namespace gmlake::streams {

// `fails` is asked of correct programs only.
Program shrink(Program program, const std::function<bool(const Program&)>& fails);

}  // namespace gmlake::streams
