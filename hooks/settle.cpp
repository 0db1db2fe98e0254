#include "hooks/settle.h"

#include <dlfcn.h>
#include <link.h>

#include "hooks/process.h"
#include "hooks/real.h"
#include "hooks/runtimes.h"

namespace gmlake::hooks {

constinit std::atomic<unsigned long long> settled_loads{0};

unsigned long long loads_so_far() {
  unsigned long long loads = 0;
  (void)dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        *static_cast<unsigned long long*>(result) = info->dlpi_adds;
        return 1;
      },
      &loads);
  return loads;
}

namespace {

template <typename Visit>
void each_object(Visit visit) {
  for (const auto* map = _r_debug.r_map; map; map = map->l_next) visit(ElfObject(*map));
}

// The CUDA libraries among what is loaded.
struct Libraries {
  Libraries() {
    each_object([&](const ElfObject& object) {
      if (object.find("cuInit") && driver_count < kMost) drivers[driver_count++] = object;
      if (runtime_count < kMost && is_runtime(object)) runtimes[runtime_count++] = object;
    });
  }
  static constexpr std::size_t kMost = 32;
  ElfObject drivers[kMost], runtimes[kMost];
  std::size_t driver_count = 0, runtime_count = 0;
};

// Of the driver that we call, and of no other library that defines such names: import stubs open
// the driver, and are handed our functions then.
void take_driver(Redirections& redirections, const Libraries& found) {
  const auto* real = found.driver_count == 0 ? nullptr : real_driver();
  if (!real || !real->complete) return;
  for (std::size_t i = 0; i < found.driver_count; ++i) {
    const auto& object = found.drivers[i];
    if (object.find("cuInit") != reinterpret_cast<void*>(real->init)) continue;
#define X(symbol, wrapper, result, parameters)                              \
  redirections.add(object, #symbol, reinterpret_cast<void*>(real->wrapper), \
                   reinterpret_cast<void*>(&hooks::wrapper));
    GMLAKE_DRIVER_HOOKS(X)
#undef X
  }
}

void redirect() {
  const Libraries found;
  if (found.driver_count + found.runtime_count == 0) return;
  const auto& process = Process::get();
  Redirections redirections;
  if (process.driver_door()) take_driver(redirections, found);
  if (process.runtime_door()) take_runtimes(redirections, found.runtimes, found.runtime_count);
  (void)dlerror();  // what our own lookups did not find is no error of the program's
  if (redirections.empty()) return;
  redirections.define();
  each_object([&](const ElfObject& object) { redirections.rebind(object); });
}

}  // namespace

void settle() {
  static bool is_under_way = false;  // what we look up may load something
  const auto loads = loads_so_far();
  if (is_under_way || settled_loads.load(std::memory_order_relaxed) == loads) return;
  is_under_way = true;
  redirect();
  is_under_way = false;
  settled_loads.store(loads, std::memory_order_release);
}

}  // namespace gmlake::hooks
