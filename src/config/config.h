// The configuration as the layers above see it: one flat field per option of the table, named
// section_key.
//
// A default-constructed Config holds the built-in values. It is plain data: copy it, hand it on by
// reference; config/load.h fills one from file and environment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/options.h"

namespace gmlake::config {

// The C++ type behind each kind of the table.
namespace kinds {
using flag = bool;
using size = Bytes;
using count = std::uint64_t;
using ratio = double;
using text = std::string;
using list = std::vector<std::string>;
using free_policy = FreePolicy;
using report_kind = ReportKind;
using ipc_mode = IpcMode;
using tool_policy = ToolPolicy;
using log_level = log::Level;
}  // namespace kinds

struct Config {
#define OPTION(section, key, kind, initial, minimum, maximum, help) \
  kinds::kind section##_##key = initial;
  GMLAKE_OPTIONS(OPTION)
#undef OPTION
};

}  // namespace gmlake::config
