// Where what comes with this program is: in the library folder beside its own.
#pragma once

#include <string>

namespace gmlake::tool {

// The path of a file there, as it was installed or built; it need not be there. Thread-safe.
std::string installed_library(const std::string& name);

}  // namespace gmlake::tool
