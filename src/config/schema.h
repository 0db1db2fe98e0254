// What is generated from the option table for others to read: the schema, the file itself, the
// table in the documentation.
#pragma once

#include <string>

#include "config/config.h"

namespace gmlake::config {

// JSON Schema, draft 07. It accepts what the reader accepts, except that it can not see the range
// of a size written with a unit, nor rules between two options.
std::string schema();

// The configuration as the file that gives it.
std::string to_json(const Config& config);

// A Markdown table of all options.
std::string to_markdown();

}  // namespace gmlake::config
