// Reads a trace file of any known format, which is told from its content, never from its name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "trace/trace.h"

namespace gmlake::trace {

struct ReadOptions {
  std::optional<int> device;  // otherwise the first that has events
  bool cut = false;           // the text's end is missing
  bool stacks = false;        // those of allocations too, where the file has them
};

// A file of any format, plain or gzip; - is standard input. The error names the file.
Expected<Trace> read(const std::string& path, const ReadOptions& options);

// One format each, from text already in memory. Errors name the line, the byte offset or the field.
Expected<Trace> read_csv(std::string_view text, const ReadOptions& options);
Expected<Trace> read_snapshot(std::string_view pickle, const ReadOptions& options);

}  // namespace gmlake::trace
