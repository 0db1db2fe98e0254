// The optimizer's memory: states in fp32, made at the first step, and the temporaries of a step.
#pragma once

#include <vector>

#include "trace/generate/framework.h"

namespace gmlake::trace::generate {

// One step over `parameters`, all of which have gradients.
void optimizer_step(Framework& f, const std::vector<Parameter*>& parameters);
// The norm of each gradient, and of all of them together.
void clip_gradients(Framework& f, const std::vector<Parameter*>& parameters);

}  // namespace gmlake::trace::generate
