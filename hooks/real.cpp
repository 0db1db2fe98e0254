#include "hooks/real.h"

#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>

#include "hooks/process.h"
#include "support/log.h"
#include "support/no_cancel.h"
#include "support/ranked_mutex.h"

namespace gmlake::hooks {
namespace {

RankedMutex<Rank::last> keeping;

// In place: host memory may be short.
template <typename Table>
const Table* keep_first(std::atomic<const Table*>& kept, const Table& found) {
  static Table place;
  const Lock lock(keeping);
  if (!kept.load(std::memory_order_relaxed)) {
    place = found;
    kept.store(&place, std::memory_order_release);
  }
  return &place;
}

// The path of a loaded object whose file name begins with `prefix`: a cudart loaded RTLD_LOCAL (by
// Python, say) is in nobody's search order, yet our exported names were bound to in its place.
struct Wanted {
  const char* prefix;
  char path[4096];
};
int matches(dl_phdr_info* info, std::size_t, void* data) {
  auto* wanted = static_cast<Wanted*>(data);
  const char* slash = std::strrchr(info->dlpi_name, '/');
  const char* name = slash ? slash + 1 : info->dlpi_name;
  if (std::strncmp(name, wanted->prefix, std::strlen(wanted->prefix)) != 0) return 0;
  std::strncpy(wanted->path, info->dlpi_name, sizeof wanted->path - 1);
  return 1;
}

// The loader lists objects in the order in which it searches them.
enum Found { neither, us, libc };
int first_of_both(dl_phdr_info* info, std::size_t, void*) {
  const char* slash = std::strrchr(info->dlpi_name, '/');
  if (slash && std::strncmp(slash + 1, "libc.so.", 8) == 0) return libc;
  static const char here = 0;
  const auto at = reinterpret_cast<std::uintptr_t>(&here);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    const auto start = info->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD && at >= start && at - start < part.p_memsz) return us;
  }
  return neither;
}

}  // namespace

bool loaded_in_front() {
  return dl_iterate_phdr(first_of_both, nullptr) == us;
}

std::atomic<const RealDriver*> kept_driver{nullptr};
std::atomic<const RealRuntime*> kept_runtime{nullptr};

void finding_after_fork() {
  new (&keeping) RankedMutex<Rank::last>;
}

const RealDriver* find_real_driver() {
  const NoCancel whole;
  void* libcuda = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  if (!libcuda)
    return nullptr;  // the handle is kept otherwise: the driver must not be unloaded under us
  auto table = driver::DriverTable::load(
      [](const char* symbol, void* handle) { return real_dlsym()(handle, symbol); }, libcuda);
  RealDriver real;
  if (table) {
    real.table = *table;
    real.complete = true;
  }
#define X(symbol, wrapper, result, parameters) \
  real.wrapper = reinterpret_cast<result(*) parameters>(real_dlsym()(libcuda, #symbol));
  GMLAKE_DRIVER_HOOKS(X)
#undef X
  if (!table) {
    (void)Process::get();  // so that log.* is known
    log::warning("this driver lacks {}; gmlake leaves the program on native memory",
                 table.error().what);
  }
  return keep_first(kept_driver, real);
}

const RealRuntime* find_real_runtime() {
  const NoCancel whole;
  void* library = RTLD_NEXT;
  if (!real_dlsym()(library, "cudaMalloc")) {
    Wanted wanted{"libcudart.so", {}};
    if (dl_iterate_phdr(matches, &wanted) == 0) return nullptr;
    library = dlopen(wanted.path, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return nullptr;
  }
  RealRuntime real;
#define X(symbol, wrapper, result, parameters) \
  real.wrapper = reinterpret_cast<result(*) parameters>(real_dlsym()(library, #symbol));
  GMLAKE_RUNTIME_HOOKS(X)
#undef X
  using GetVersion = cudaError_t (*)(int*);
  if (auto get = reinterpret_cast<GetVersion>(real_dlsym()(library, "cudaRuntimeGetVersion")))
    (void)get(&real.version);
  return keep_first(kept_runtime, real);
}

void* substitute_runtime(void* found) {
  const auto* real = real_runtime();
  if (!real || !found) return found;
#define X(symbol, wrapper, result, parameters)         \
  if (found == reinterpret_cast<void*>(real->wrapper)) \
    return reinterpret_cast<void*>(&hooks::wrapper);
  GMLAKE_RUNTIME_HOOKS(X)
#undef X
  return found;
}

}  // namespace gmlake::hooks
