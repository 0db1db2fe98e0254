#include "hooks/handed_out.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "hooks/process.h"
#include "hooks/real.h"
#include "hooks/stand_ins.h"
#include "support/ranked_mutex.h"

namespace gmlake::hooks {
namespace {

std::size_t hash_of(const void* function) {
  return reinterpret_cast<std::uintptr_t>(function) * 0x9e3779b97f4a7c15 >> 54;
}

// The functions of the hook table as this driver has them, by address.
class Ours {
 public:
  void fill(const RealDriver& real) {
    places_ = {};
#define X(symbol, wrapper, result, parameters) \
  add(reinterpret_cast<void*>(real.wrapper), reinterpret_cast<void*>(&hooks::wrapper));
    GMLAKE_DRIVER_HOOKS(X)
#undef X
  }
  void* find(const void* real) const {
    auto at = hash_of(real);
    while (places_[at].real && places_[at].real != real) at = (at + 1) % places_.size();
    return places_[at].ours;
  }

 private:
  void add(void* real, void* ours) {
    if (!real) return;
    auto at = hash_of(real);
    while (places_[at].real && places_[at].real != real) at = (at + 1) % places_.size();
    // The first of two names of one function.
    if (!places_[at].real) places_[at] = {real, ours};
  }
#define X(symbol, wrapper, result, parameters) +1
  static_assert(0 GMLAKE_DRIVER_HOOKS(X) <= 512);
#undef X
  struct Place {
    void* real;
    void* ours;
  };
  std::array<Place, 1024> places_{};
};

RankedMutex<Rank::last> filling;

const Ours& ours(const RealDriver& real) {
  static std::atomic<bool> filled{false};
  static constinit Ours all;
  if (!filled.load(std::memory_order_acquire)) {
    const Lock lock(filling);
    if (!filled.load(std::memory_order_relaxed)) all.fill(real);
    filled.store(true, std::memory_order_release);
  }
  return all;
}

// Functions that turned out to be nothing to us, one in each place: a runtime asks for hundreds.
std::array<std::atomic<void*>, 1024> others;

}  // namespace

void* substitute_driver(void* found, const char* name) {
  const auto* real = real_driver();
  const auto& process = Process::get();
  if (!real || !found || !name || !process.takes_back()) return found;
  if (auto* known = ours(*real).find(found)) return stands_for_driver(known) ? known : found;
  if (!process.driver_door()) return found;
  auto& other = others[hash_of(found)];
  if (other.load(std::memory_order_relaxed) == found) return found;
  const auto effects = effects_of(name);
  if (effects == Effect::none) {
    other.store(found, std::memory_order_relaxed);
    return found;
  }
  if (auto* stand_in = stand_in_for(found, name, effects)) return stand_in;
  unknown_call_comes(effects);
  say_unknown_call(name, effects);
  return found;
}

void* stand_in_of(const RealDriver& real, void* found, const char* name) {
  const auto effects = effects_of(name);
  return effects == Effect::none || ours(real).find(found) ? nullptr
                                                           : stand_in_for(found, name, effects);
}

void handing_out_after_fork() {
  new (&filling) RankedMutex<Rank::last>;
}

}  // namespace gmlake::hooks
