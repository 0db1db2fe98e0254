#include "hooks/settle.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <iterator>

#include "hooks/handed_out.h"
#include "hooks/process.h"
#include "hooks/real.h"
#include "hooks/runtimes.h"

namespace gmlake::hooks {

constinit std::atomic<unsigned long long> settled_loads{0};
constinit std::atomic<bool> has_cuda{false};

// Not inline: the compiler takes _r_debug for no larger than it is declared.
[[gnu::noinline]] const r_debug* next_namespace([[maybe_unused]] const r_debug* space) {
#if __GLIBC_PREREQ(2, 35)
  if (space->r_version > 1)
    if (const auto* next = reinterpret_cast<const r_debug_extended*>(space)->r_next)
      return &next->base;
#endif
  return nullptr;
}

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
  for (const r_debug* space = &_r_debug; space; space = next_namespace(space))
    for (const auto* map = space->r_map; map; map = map->l_next)
      visit(ElfObject(*map), space == &_r_debug);
}

// As many of a kind as are looked at.
class Objects {
 public:
  void add(const ElfObject& object) {
    if (count_ < std::size(all_)) all_[count_++] = object;
  }
  operator std::span<const ElfObject>() const { return {all_, count_}; }
  const ElfObject* begin() const { return all_; }
  const ElfObject* end() const { return all_ + count_; }
  bool empty() const { return count_ == 0; }

 private:
  ElfObject all_[32];
  std::size_t count_ = 0;
};

// Libraries of interest among what is loaded.
struct Libraries {
  Libraries() {
    each_object([&](const ElfObject& object, bool in_first) {
      if (object.find("cuInit")) drivers.add(object);
      if (is_runtime(object)) runtimes.add(object);
      if (!in_first && object.find("dlsym")) other_dlsyms.add(object);
    });
  }
  Objects drivers, runtimes, other_dlsyms;
};

// The driver that we call from now on: the first one that is loaded. In another namespace it is a
// driver of its own, with memory of its own, and is served only if there was none before.
const RealDriver* find_driver(const Objects& drivers) {
  const auto* real = real_driver();
  for (const auto& object : drivers) {
    if (real) break;
    const char* name = object.soname();
    if (!name || std::strcmp(name, "libcuda.so.1") != 0) continue;
    const auto space = object.space();
    // Kept: the driver must not be unloaded under us.
    if (void* library = dlmopen(space, object.map()->l_name, RTLD_LAZY | RTLD_NOLOAD))
      real = keep_real_driver(library, space);
  }
  return real;
}

// What a newer driver has, and what its name says may go unseen by it.
void take_unknown(Redirections& redirections, const ElfObject& driver, const RealDriver& real) {
  driver.each_function([&](const char* name, void* function) {
    if (name[0] != 'c' || name[1] != 'u') return;
    if (auto* const stand_in = stand_in_of(real, function, name))
      redirections.add(driver, name, function, stand_in);
  });
}

// Of the driver that we call, and of no other library that defines such names: import stubs open
// the driver, and are handed our functions then.
void take_driver(Redirections& redirections, const Objects& drivers, const RealDriver& real) {
  for (const auto& object : drivers) {
    if (object.find("cuInit") != reinterpret_cast<void*>(real.init)) continue;
#define X(symbol, wrapper, result, parameters)                               \
  if (stands_for_driver(reinterpret_cast<void*>(&hooks::wrapper)))           \
    redirections.add(object, #symbol, reinterpret_cast<void*>(real.wrapper), \
                     reinterpret_cast<void*>(&hooks::wrapper));
    GMLAKE_DRIVER_HOOKS(X)
#undef X
    take_unknown(redirections, object, real);
  }
}

void redirect() {
  const Libraries found;
  if (found.drivers.empty() && found.runtimes.empty() && found.other_dlsyms.empty()) return;
  if (!found.drivers.empty() || !found.runtimes.empty()) has_cuda = true;
  if (!Process::may_serve()) return;
  static constinit Redirections redirections;  // large for a stack, and the linker's lock is held
  redirections.clear();
  const auto* real = found.drivers.empty() ? nullptr : find_driver(found.drivers);
  if (real && real->complete) take_driver(redirections, found.drivers, *real);
  const auto* process = Process::get_if_made();
  if (!process || process->runtime_door()) take_runtimes(redirections, found.runtimes);
  take_dlsym(redirections, found.other_dlsyms);
  (void)dlerror();  // what our own lookups did not find is no error of the program's
  if (redirections.empty()) return;
  redirections.define();
  each_object([&](const ElfObject& object, bool) { redirections.rebind(object); });
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
