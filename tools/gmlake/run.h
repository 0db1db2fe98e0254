// What `gmlake run` and `gmlake record` are told, and what they do then.
#pragma once

#include <string>
#include <vector>

namespace gmlake::tool {

struct RunOptions {
  std::string command;               // run, or record
  std::vector<std::string> program;  // and its arguments
  std::string config_file;
  std::vector<std::string> settings;
  bool no_stitch = false;
  std::string report;
  std::string json;
  std::string library;
  bool pytorch = false;
  bool strict = false;
  bool dry_run = false;
  bool exec = false;
  std::string trace;  // of `record`
};

// Gives the exit status.
int run(const RunOptions& options);

}  // namespace gmlake::tool
