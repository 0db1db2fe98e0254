#include "hooks/real.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <new>

#include "hooks/process.h"
#include "support/log.h"
#include "support/no_cancel.h"
#include "support/ranked_mutex.h"

namespace gmlake::hooks {

std::atomic<const RealDriver*> kept_driver{nullptr};

namespace {

RankedMutex<Rank::last> keeping;

// In place: host memory may be short.
const RealDriver* keep_first(const RealDriver& found) {
  static RealDriver place;
  const Lock lock(keeping);
  if (!kept_driver.load(std::memory_order_relaxed)) {
    place = found;
    kept_driver.store(&place, std::memory_order_release);
  }
  return &place;
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

void finding_after_fork() {
  new (&keeping) RankedMutex<Rank::last>;
}

const RealDriver* find_real_driver() {
  const NoCancel whole;
  void* libcuda = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  // The handle is kept otherwise: the driver must not be unloaded under us.
  return libcuda ? keep_real_driver(libcuda, LM_ID_BASE) : nullptr;
}

const RealDriver* keep_real_driver(void* libcuda, Lmid_t space) {
  if (const auto* known = kept_driver.load(std::memory_order_acquire)) return known;
  auto table = driver::DriverTable::load(
      [](const char* symbol, void* handle) { return real_dlsym()(handle, symbol); }, libcuda);
  RealDriver real;
  real.space = space;
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
  return keep_first(real);
}

bool stands_for_driver(const void* wrapper) {
  const auto* process = Process::get_if_made();
  if (!process || process->driver_door()) return true;
  if (!process->takes_back()) return false;
  const void* const kBack[] = {
      reinterpret_cast<void*>(&mem_free), reinterpret_cast<void*>(&mem_free_async),
      reinterpret_cast<void*>(&mem_free_async_ptsz), reinterpret_cast<void*>(&get_proc_address),
      reinterpret_cast<void*>(&get_proc_address_v2)};
  return std::find(std::begin(kBack), std::end(kBack), wrapper) != std::end(kBack);
}

}  // namespace gmlake::hooks
