// The Python that a command line will start, and the PyTorch that is installed for it: asked of its
// list of packages, as importing torch takes seconds.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace gmlake::tool {

// The interpreter: the program itself, or that of its first line (torchrun, accelerate), or of the
// first such word behind one that starts others (srun, mpirun, env). Nothing if it is a matter of
// what a shell or a job's other machine makes of it.
std::optional<std::vector<std::string>> interpreter_of(const std::vector<std::string>& command);

struct InstalledTorch {
  enum class Answer { version, none, silent } answer = Answer::silent;
  std::string version;  // "2.11.0+cu130"
};

// Starts it, for some ten milliseconds.
InstalledTorch ask_for_torch(const std::vector<std::string>& interpreter);

}  // namespace gmlake::tool
