#include "entry.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>

#include "../simcuda.h"
#include "call_counts.h"
#include "config.h"
#include "costs.h"
#include "faults.h"
#include "findings.h"
#include "leaks.h"
#include "report.h"

namespace gmlake::simcuda {
namespace {

// Constant-initialised: nothing runs when the library is loaded.
constinit std::atomic<Life> current_life{Life::none};
constinit thread_local bool in_host_function __attribute__((tls_model("initial-exec"))) = false;

constinit std::atomic<void (*)(const char*, int)> watch{nullptr};
constinit std::atomic<std::uint64_t> call_number{0};
constinit thread_local Caller current __attribute__((tls_model("initial-exec"))){};

CUresult count(unsigned function) {
  current.function = function;
  if (checking_calls()) current.number = call_number.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!have_faults()) [[likely]] {
    count_call(function);
    return CUDA_SUCCESS;
  }
  return injected_fault(function, count_call_in_turn(function));
}

void at_exit() {
  Life expected = Life::running;
  if (!current_life.compare_exchange_strong(expected, Life::exiting)) return;  // a forked child
  report_leaks();
  write_report();
  // The status of the whole process. Called from within exit(), exit() goes on with the handlers
  // that are left and ends with the new status (glibc).
  if (simcuda_findings() != 0 && config().exit_status != 0) std::exit(config().exit_status);
}

}  // namespace

void Watched::tell(int returns) const {
  if (const auto call = watch.load(std::memory_order_relaxed)) [[unlikely]]
    call(kFunctionNames[function_].data(), returns);
}

void charge_call(std::uint64_t units) {
  charge(current.function, units);
}
void no_call() {
  current = {kFunctions, 0, 0};
}
Caller current_caller() {
  return current;
}

Life life() {
  return current_life.load(std::memory_order_acquire);
}

void start_life() {
  current_life.store(Life::running, std::memory_order_release);
  // A context does not survive fork: the child gets "not initialised" before it can touch a lock
  // that another thread of the parent held.
  pthread_atfork(nullptr, nullptr, [] { current_life.store(Life::forked); });
  std::atexit(at_exit);
}

void begin_host_function() {
  in_host_function = true;
}
void end_host_function() {
  in_host_function = false;
}

CUresult enter_early(unsigned function) {
  return count(function);
}

CUresult enter(unsigned function) {
  const CUresult fault = count(function);
  switch (life()) {
    case Life::running:
      // cuda.h, cuLaunchHostFunc: "The host function must not make any CUDA API calls. Attempting
      // to use a CUDA API may result in CUDA_ERROR_NOT_PERMITTED".
      return in_host_function ? CUDA_ERROR_NOT_PERMITTED : fault;
    case Life::exiting:
      return CUDA_ERROR_DEINITIALIZED;
    case Life::none:
    case Life::forked:
      break;
  }
  return CUDA_ERROR_NOT_INITIALIZED;
}

}  // namespace gmlake::simcuda

void simcuda_watch_calls(void (*watch)(const char* function, int returns)) {
  gmlake::simcuda::watch.store(watch);
}
