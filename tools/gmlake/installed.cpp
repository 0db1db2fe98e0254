#include "installed.h"

#include <filesystem>

namespace gmlake::tool {

std::string installed_library(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code unknown;
  const auto prefix = fs::read_symlink("/proc/self/exe", unknown).parent_path().parent_path();
  auto path = prefix / GMLAKE_LIBDIR / name;  // CMAKE_INSTALL_LIBDIR: lib64 on some systems
  if (!fs::exists(path, unknown)) path = prefix / "lib" / name;
  return path.string();
}

}  // namespace gmlake::tool
