// What this process is to gmlake: its configuration, whether it is served at all, its pools, and
// its end.
//
// Made on the first intercepted call that matters, never at load: a process that does not use CUDA
// pays nothing. Never destroyed, because calls may come until the very end of exit(). Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <string>

#include <sys/types.h>

#include "config/config.h"
#include "driver/driver_table.h"
#include "hooks/known_streams.h"
#include "hooks/live.h"
#include "pool/device_pool.h"
#include "support/ranked_mutex.h"

namespace gmlake::hooks {

class Process {
 public:
  [[gnu::always_inline]] static Process& get() {
    auto* process = get_if_made();
    if (!process) [[unlikely]]
      return make();
    return *process;
  }
  // The process if anything has made it yet, for the end of exit().
  static Process* get_if_made() { return made.load(std::memory_order_acquire); }

  // Whether anything may be served: also before it is made, when that is only known of a process
  // that is told not to.
  static bool may_serve();

  // Of a process that is served.
  const config::Config& config() const { return *loaded_.config; }
  bool driver_door() const { return has(kDriverDoor); }
  bool runtime_door() const { return has(kRuntimeDoor); }
  // Whether what is asked of a runtime may be had from a pool without another look: both doors are
  // open, and allocations go to the pools.
  bool serves_hits() const {
    constexpr unsigned kAll = kActive | kDriverDoor | kRuntimeDoor | kPool;
    return (state_.load(std::memory_order_relaxed) & (kAll | kStopped)) == kAll;
  }
  // Whether blocks may come back by the driver's functions: also with that door shut, by runtimes
  // that the other door does not see.
  bool takes_back() const { return driver_door() || runtime_door(); }
  // Whether the program's calls come through the doors at all: not those of one that opened the
  // library by path for its C API.
  bool in_front() const { return in_front_; }
  // CUDA is about to be initialised, after which it does not survive a fork.
  void cuda_begins() { cuda_has_begun_.store(true, std::memory_order_relaxed); }
  // No CUDA may be called any more.
  bool exiting() const { return has(kExiting); }
  // Host memory has run out amid a pool's work, whose books may be half written: nothing looks at
  // them again. What is live stays so, and all else is the driver's.
  void give_up();
  // The same, said by whoever finds a reason: what the pools know may not be so any more.
  void stand_back() { state_.fetch_or(kGivenUp); }
  bool has_given_up() const { return has(kGivenUp); }
  // Whether allocations go to the pool now: not in a process left alone, not once exit() has begun.
  bool serving() const {
    return (state_.load(std::memory_order_relaxed) & (kActive | kStopped)) == kActive;
  }

  static constexpr int kMostDevices = 64;
  // Null if it has no pool yet, or if there can be none. Lock-free.
  pool::DevicePool* pool_if_any(int device) const {
    return device < 0 || device >= kMostDevices || has_given_up() ? nullptr : known_pool(device);
  }
  // The device's pool, made now if need be. Null if it can not be: the reason has been said.
  pool::DevicePool* pool(int device, const driver::DriverTable& driver) {
    auto* known = pool_if_any(device);
    return known || has_given_up() ? known : make_pool(device, driver);
  }
  KnownStreams& streams() { return streams_; }
  bool has_pools() const { return most_device_.load(std::memory_order_acquire) >= 0; }
  // The pool whose ranges contain `at`, or null. Lock-free.
  pool::DevicePool* owner(driver::Address at) const {
    for (int i = 0, n = most_device_.load(std::memory_order_acquire); i <= n; ++i)
      if (auto* pool = known_pool(i); pool && pool->owns(at)) return pool;
    return nullptr;
  }
  template <typename Each>
  void each_pool(Each visit) const {
    if (has_given_up()) return;
    for (int i = 0, n = most_device_.load(std::memory_order_acquire); i <= n; ++i)
      if (auto* pool = pool_if_any(i)) visit(*pool);
  }

  // Writes the report, once, if this process had pools. At the end of exit().
  void report();
  // The same as it is now, to be looked at.
  stats::Report report_now() const;
  Live& live() { return live_; }

 private:
  // One word, as each call looks at it. A process that is left alone, as some forked children are,
  // is not active and has no doors. Allocations go to pools where they are enabled.
  static constexpr unsigned kActive = 1, kDriverDoor = 2, kRuntimeDoor = 4, kPool = 8;
  static constexpr unsigned kExiting = 16, kGivenUp = 32, kStopped = kExiting | kGivenUp;

  // What the configuration makes of the process.
  struct Loaded {
    std::optional<config::Config> config;  // if it is served
    std::string executable;
  };

  explicit Process(bool in_front);
  static Process& make();
  pool::DevicePool* known_pool(int device) const {
    return pools_[static_cast<unsigned>(device)].load(std::memory_order_acquire);
  }
  pool::DevicePool* make_pool(int device, const driver::DriverTable& driver);
  pool::DevicePool* try_to_make_pool(int device, const driver::DriverTable& driver);
  static Loaded load();
  static Loaded try_to_load();
  bool has(unsigned bits) const { return (state_.load(std::memory_order_relaxed) & bits) != 0; }
  unsigned first_state() const;
  void watch_for_the_end() GMLAKE_REQUIRES(making_);
  stats::Report described() const;
  void after_fork();

  static std::atomic<Process*> made;

  const bool in_front_;
  const Loaded loaded_;
  std::atomic<unsigned> state_{first_state()};
  std::atomic<bool> cuda_has_begun_{false};
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  KnownStreams streams_;
  RankedMutex<Rank::registry> making_;
  bool has_watched_ GMLAKE_GUARDED_BY(making_) = false;
  std::array<std::atomic<pool::DevicePool*>, kMostDevices> pools_{};
  std::array<bool, kMostDevices> refused_ GMLAKE_GUARDED_BY(making_){};
  std::atomic<int> most_device_{-1};
  Live live_;
};

// Our own part of a call. No exception may cross a hook: one means that there is no host memory,
// and we give up. False then.
template <typename Work>
[[gnu::always_inline]] inline bool guarded(Work work) {
  try {
    work();
    return true;
  } catch (const std::exception&) {
    Process::get().give_up();
    return false;
  }
}
template <typename Each>
bool each_pool(Each visit) {
  return guarded([&] { Process::get().each_pool(visit); });
}

inline bool driver_open() {
  return Process::get().driver_door();
}

}  // namespace gmlake::hooks
