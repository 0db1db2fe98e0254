#include "hooks/tools_beside.h"

#include <link.h>

#include <cstdlib>
#include <string_view>

namespace gmlake::hooks {
namespace {

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// compute-sanitizer's own library, and that of the API it is made of.
bool is_sanitizer(std::string_view path) {
  const auto name = file_name(path);
  return name.starts_with("libsanitizer-collection.so") ||
         name.starts_with("libsanitizer-public.so");
}

int is_loaded(dl_phdr_info* info, std::size_t, void*) {
  return is_sanitizer(info->dlpi_name) ? 1 : 0;
}

}  // namespace

// The driver loads what the variable names when it is initialised, which may be later. The tool
// tells its library by the others where to find it, whichever way that comes in.
bool checked_by_sanitizer() {
  const char* injected = secure_getenv("CUDA_INJECTION64_PATH");
  if (injected && *injected != '\0') return is_sanitizer(injected);
  for (const char* name :
       {"NV_SANITIZER_INJECTION_PORT_BASE", "NV_SANITIZER_INJECTION_PORT_RANGE_BEGIN"})
    if (secure_getenv(name)) return true;
  return dl_iterate_phdr(is_loaded, nullptr) != 0;
}

}  // namespace gmlake::hooks
