// `gmlake run --pytorch`: what a PyTorch program needs beside the library, so that its tensors come
// from the pool and not from PyTorch's own segments.
#pragma once

#include <string>
#include <vector>

#include "run_environment.h"

namespace gmlake::tool {

struct PytorchWay {
  std::string refusal;  // why there is none, and what to do; empty if there is one
  std::string said;     // in one line: the torch, what is set, what became of the user's settings
};

// Adds what is to be set to `assignments`.
PytorchWay choose_pytorch_way(const std::vector<std::string>& command, Assignments& assignments);

}  // namespace gmlake::tool
