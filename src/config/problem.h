// What is wrong with a configuration, in the words its author needs: where, why, and what to write
// instead.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gmlake::config {

struct Problem {
  std::string source;    // the file's path or the environment variable's name
  std::string path;      // the option as JSON path, "pool.chunk_size"; empty: the source as a whole
  std::size_t line = 0;  // in the file, from 1; 0: not known or not a file
  std::size_t column = 0;  // in bytes, from 1
  std::string reason;
  std::string remedy;
};

// "source:line:column: path: reason; remedy"
std::string describe(const Problem& problem);

// All of them, a first line with their number and then one line each. Empty if there are none.
std::string describe(const std::vector<Problem>& problems);

}  // namespace gmlake::config
