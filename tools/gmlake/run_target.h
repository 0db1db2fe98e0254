// What `gmlake run` has to know of the program it is to start: where it is, and whether the loader
// will heed LD_PRELOAD for it.
#pragma once

#include <optional>
#include <string>

namespace gmlake::tool {

// The file execvp would start, or nothing.
std::optional<std::string> find_program(const std::string& name);

// Why the loader will ignore LD_PRELOAD for this file, or nothing. Files that are no ELF (scripts)
// and files that can not be read count as heeding it.
std::optional<std::string> ignores_preload(const std::string& file);

}  // namespace gmlake::tool
