// `gmlake run` as the parent of the program: it stays to see how it ends, and is nobody else's
// business meanwhile. Exit status, signals, terminal and job control are as if it were not there.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace gmlake::tool {

struct Watch {
  double interval = 0;          // seconds between two calls of `look`; 0: none
  std::function<void()> look;   // while the program runs
  std::function<void()> ended;  // it has
};

// Starts the program and waits for it. Gives its exit status, or ends by the signal that ended it.
// The environment is the one there is.
int be_parent(const std::vector<std::string>& command, const Watch& watch);

// Becomes the program; comes back only where that fails, with the exit status to end with.
int become(const std::vector<std::string>& command);

}  // namespace gmlake::tool
