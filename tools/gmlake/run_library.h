// Whether a file is libgmlake.so, told from what it exports: nothing of it is run.
#pragma once

#include <optional>
#include <string>

namespace gmlake::tool {

// Why `gmlake run` does not put it in front of a program, or nothing.
std::optional<std::string> why_not_ours(const std::string& file);

// The other copies of the library in LD_PRELOAD, as they are named there.
std::optional<std::string> other_copy_preloaded(const std::string& library);

}  // namespace gmlake::tool
