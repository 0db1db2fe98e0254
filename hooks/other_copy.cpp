#include "hooks/other_copy.h"

#include <dlfcn.h>

#include "hooks/gmlake.h"
#include "hooks/real.h"

namespace gmlake::hooks {

const char* other_copy() {
  constexpr const char* kName = "gmlake_version";
  const auto lookup = real_dlsym();
  // Our own is what the name means in here; the first one that others see may be before us.
  void* found = lookup(RTLD_NEXT, kName);
  if (!found) found = lookup(RTLD_DEFAULT, kName);
  Dl_info other{}, own{};
  if (!found || dladdr(found, &other) == 0 ||
      dladdr(reinterpret_cast<void*>(&gmlake_version), &own) == 0 ||
      other.dli_fbase == own.dli_fbase)
    return nullptr;
  return other.dli_fname;
}

}  // namespace gmlake::hooks
