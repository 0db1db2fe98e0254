#include "hooks/real.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <array>
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

// By the driver's function: every function that a runtime asks for is
// looked up here.
struct Ours {
  void* real;
  void* wrapper;
};
constinit std::array<Ours, 1024> ours{};
#define X(symbol, wrapper, result, parameters) +1
static_assert(std::size_t{0} GMLAKE_DRIVER_HOOKS(X) < std::size(ours) / 2,
              "so that there are gaps");
#undef X
std::size_t place_of(const void* real) {
  return (reinterpret_cast<std::uintptr_t>(real) >> 4) * 0x9e3779b97f4a7c15 >> 54;
}
void put(void* real, void* wrapper) {
  if (!real) return;
  auto at = place_of(real);
  while (ours[at].real && ours[at].real != real) at = (at + 1) % std::size(ours);
  if (!ours[at].real) ours[at] = {real, wrapper};
}
void put_all(const RealDriver& real) {
#define X(symbol, wrapper, result, parameters) \
  put(reinterpret_cast<void*>(real.wrapper), reinterpret_cast<void*>(&hooks::wrapper));
  GMLAKE_DRIVER_HOOKS(X)
#undef X
}

// In place: host memory may be short.
const RealDriver* keep_first(const RealDriver& found) {
  static RealDriver place;
  const Lock lock(keeping);
  if (!kept_driver.load(std::memory_order_relaxed)) {
    place = found;
    put_all(place);
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

void* substitute_driver(void* found) {
  const auto* real = real_driver();
  if (!real || !found || !Process::get().takes_back()) return found;
  for (auto at = place_of(found);; at = (at + 1) % std::size(ours)) {
    if (!ours[at].real) return found;
    if (ours[at].real == found)
      return stands_for_driver(ours[at].wrapper) ? ours[at].wrapper : found;
  }
}

}  // namespace gmlake::hooks
