// What every exported function does first: it is counted by name, may fail because SIMCUDA_FAULTS
// says so, and answers as the driver does before cuInit, after exit has begun, in a forked child
// and inside a host function.
#pragma once

#include <atomic>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "cuda_api.h"
#include "newer_functions.h"

namespace gmlake::simcuda {

// The driver's, which may be newer than cuda.h (newer.def); and the newest version that may be
// asked for, that of functions that no CUDA has.
inline constexpr int kDriverVersion = CUDA_VERSION > 13050 ? CUDA_VERSION : 13050;
inline constexpr int kNewestVersion = 13990;

// No std::array: clang deduces no more than 256 elements.
inline constexpr std::string_view kFunctionNames[]{
#define F(symbol, base, version, flavour) std::string_view{#symbol},
#include "all_functions.def"
};
inline constexpr unsigned kFunctions = std::size(kFunctionNames);
// The first of them are those that are simulated; the others answer "not supported".
inline constexpr unsigned kSimulated = 0
#define F(symbol, base, version, flavour) +1
#include "functions.def"
    ;

// kFunctions for a name that is not exported.
constexpr unsigned function_index(std::string_view name) {
  for (unsigned i = 0; i < kFunctions; ++i)
    if (kFunctionNames[i] == name) return i;
  return kFunctions;
}

CUresult enter(unsigned function);        // needs cuInit
CUresult enter_early(unsigned function);  // legal before cuInit
// While a call is under way; for simcuda_watch_calls.
class Watched {
 public:
  explicit Watched(unsigned function) : function_(function) { tell(0); }
  ~Watched() { tell(1); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  void tell(int returns) const;
  unsigned function_;
};
// Adds `units` to the modelled time of the calling thread's current call (costs.h).
void charge_call(std::uint64_t units);

enum class Life { none, running, exiting, forked };
Life life();
void start_life();  // once, by cuInit
// The calling thread makes no call: what it does is the host's own.
void no_call();
// Host functions and kernels run on device threads between these.
void begin_host_function();
void end_host_function();

}  // namespace gmlake::simcuda

#define SIM_ENTER_WITH(enter_function)                                              \
  constexpr unsigned sim_function = ::gmlake::simcuda::function_index(__func__);    \
  static_assert(sim_function < ::gmlake::simcuda::kFunctions, "not in cuda.h");     \
  const ::gmlake::simcuda::Watched sim_watched(sim_function);                       \
  if (const CUresult sim_refused = ::gmlake::simcuda::enter_function(sim_function); \
      sim_refused != CUDA_SUCCESS)                                                  \
  return sim_refused
#define SIM_ENTER() SIM_ENTER_WITH(enter)
#define SIM_ENTER_EARLY() SIM_ENTER_WITH(enter_early)

// Defines a stream function and its per-thread variant: `implicit` is the stream that handle 0
// means.
#define SIM_BOTH(name, suffix, parameters, call)        \
  CUresult name parameters {                            \
    constexpr Implicit implicit = Implicit::legacy;     \
    SIM_ENTER();                                        \
    return call;                                        \
  }                                                     \
  CUresult name##suffix parameters {                    \
    constexpr Implicit implicit = Implicit::per_thread; \
    SIM_ENTER();                                        \
    return call;                                        \
  }
#define SIM_PTSZ(name, parameters, call) SIM_BOTH(name, _ptsz, parameters, call)
#define SIM_PTDS(name, parameters, call) SIM_BOTH(name, _ptds, parameters, call)
