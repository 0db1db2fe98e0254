#include "hooks/process.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include <version.h>

#include "config/environment.h"
#include "config/load.h"
#include "config/pattern.h"
#include "config/processes.h"
#include "hooks/control.h"
#include "hooks/gmlake.h"
#include "hooks/handed_out.h"
#include "hooks/holders.h"
#include "hooks/ipc.h"
#include "hooks/keeper.h"
#include "hooks/legacy_stream.h"
#include "hooks/neighbours.h"
#include "hooks/nvtx.h"
#include "hooks/other_copy.h"
#include "hooks/peers.h"
#include "hooks/program_device.h"
#include "hooks/real.h"
#include "hooks/recording.h"
#include "hooks/stand_ins.h"
#include "hooks/tools_beside.h"
#include "stats/report.h"
#include "support/no_cancel.h"
#include "support/stderr.h"

namespace gmlake::hooks {
namespace {

constexpr int kBadConfiguration = 78;  // EX_CONFIG of sysexits.h
std::atomic<bool> is_checked{false};   // by a tool that knows native memory only

}  // namespace

std::atomic<Process*> Process::made{nullptr};

Process& Process::make() {
  const NoCancel whole;
  static std::atomic<bool> in_front{false};
  static std::atomic<const char*> other{nullptr};
  in_front = loaded_in_front();  // before a lock is held: these ask the loader
  other = other_copy();
  is_checked = checked_by_sanitizer();
  // In place: there is one, whatever host memory is left. A child that is forked meanwhile begins
  // again.
  alignas(Process) static std::byte place[sizeof(Process)];
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, [] {
    made.store(new (place) Process(in_front), std::memory_order_release);
    if (other && get().has(kActive))
      log::warning(
          "there is another copy of gmlake in this process, {}; this one serves it: take the other "
          "out of LD_PRELOAD",
          other.load());
    (void)pthread_atfork(nullptr, nullptr, [] { get().after_fork(); });
  });
  return *made.load(std::memory_order_acquire);
}

bool Process::may_serve() {
  if (const auto* process = get_if_made()) return process->takes_back();
  try {
    return loaded_in_front() && !config::is_disabled(config::process_environment());
  } catch (const std::exception&) {
    return false;  // no host memory
  }
}

Process::Process(bool in_front) : in_front_(in_front), loaded_(load()) {
  if (!has(kActive)) return;
  if (config().pool_ipc == config::IpcMode::native) native_sizes.all();
  if (config().streams_single_stream && !driver_door())
    log::warning("streams.single_stream has no effect: {}",
                 in_front_ ? "hooks.driver is false, and streams are not seen to be created"
                           : "the program's streams are not seen to be created");
  log::info("{} serves {} (process {})", gmlake_version(), loaded_.executable, getpid());
}

unsigned Process::first_state() const {
  if (!loaded_.config) return 0;
  unsigned state = kActive;
  if (in_front_ && config().hooks_driver) state |= kDriverDoor;
  if (in_front_ && config().hooks_runtime) state |= kRuntimeDoor;
  if (config().pool_enabled) state |= kPool;
  return state;
}

Process::Loaded Process::load() {
  remember_stderr();
  try {
    return try_to_load();
  } catch (const std::exception&) {
    log::error("there is no host memory left; the program runs on native memory, without gmlake");
    return {};
  }
}

void Process::give_up() {
  if ((state_.fetch_or(kGivenUp) & kGivenUp) == 0)
    log::error("there is no host memory left; the program goes on on native memory");
}

Process::Loaded Process::try_to_load() {
  const auto environment = config::process_environment();
  if (config::is_disabled(environment)) return {};
  auto loaded = config::load(environment);
  if (!loaded.ok()) {
    const bool strict = config::is_strict(environment);
    log::error("{}\n{}", config::describe(loaded.problems),
               strict ? "the program is stopped because GMLAKE_STRICT is set"
                      : "the program runs on native memory, without gmlake");
    if (!strict) return {};
    std::fflush(nullptr);
    _exit(kBadConfiguration);
  }
  auto executable = config::executable_name();
  if (!config::serves(loaded.config, executable)) return {};
  log::configure(loaded.config.log_level,
                 config::expand_pattern(loaded.config.log_file, config::process_pattern_values()));
  if (loaded.config.processes_tools == config::ToolPolicy::aside && is_checked) {
    log::warning(
        "compute-sanitizer checks {}, and can check native memory only: it runs without gmlake "
        "(processes.tools=serve serves it all the same)",
        executable);
    return {};
  }
  return {std::move(loaded.config), std::move(executable)};
}

void Process::watch_for_the_end() {
  if (std::exchange(has_watched_, true)) return;
  // Registered this late, they run before the handlers of what was set up earlier, cudart's among
  // them.
  std::atexit([] {
    get().state_ |= kExiting;
    stop_sharing();
    end_keeping();
  });
}

// In a forked child a lock that another thread held is never given back. CUDA does not survive a
// fork once it has begun: its calls are then the driver's to answer, whatever they are about. The
// few locks that are taken besides are made anew.
void Process::after_fork() {
  log::after_fork();
  finding_after_fork();
  stand_ins_after_fork();
  handing_out_after_fork();
  sharing_after_fork();
  record::after_fork();
  noting_after_fork();
  ranges_after_fork();
  if (!cuda_has_begun_) return;
  live_.after_fork();
  state_ &= ~(kActive | kDriverDoor | kRuntimeDoor | kPool);
  most_device_ = -1;
  for (auto& pool : pools_) pool = nullptr;
}

pool::DevicePool* Process::make_pool(int device, const driver::DriverTable& driver) {
  if (device < 0 || device >= kMostDevices) return nullptr;
  const NoCancel whole;
  pool::DevicePool* made_now = nullptr;
  (void)guarded([&] { made_now = try_to_make_pool(device, driver); });
  if (made_now) pool_is_made(*made_now);
  return made_now;
}

pool::DevicePool* Process::try_to_make_pool(int device, const driver::DriverTable& driver) {
  cuda_begins();
  const Lock lock(making_);
  const auto index = static_cast<unsigned>(device);
  if (auto* known = pool_if_any(device)) return known;
  if (refused_[index]) return nullptr;
  watch_for_the_end();
  live_.begin(config(), described());
  begin_recording(config(), live_);
  begin_noting(config().stats_sample_bytes,
               config().stats_sample_bytes != 0 ? live_.holders() : nullptr);
  auto opened = ProgramDevice::open(driver, device, in_front_, driver_door() ? &streams_ : nullptr);
  if (opened && config().pool_chunk_size % (*opened)->granularity() != 0)
    opened = fail(CUDA_ERROR_INVALID_VALUE,
                  "pool.chunk_size is no multiple of the device's granularity");
  if (!opened) {
    log::warning("device {} stays on native memory: {} (error {})", device, opened.error().what,
                 opened.error().code);
    refused_[index] = true;
    return nullptr;
  }
  auto* pool = new pool::DevicePool(device, *opened->release(), config(), live_.records());
  // Whoever finds the pool and allocates from it is to be found its owner: within the bound first.
  if (device > most_device_.load()) most_device_.store(device, std::memory_order_release);
  pools_[index].store(pool, std::memory_order_release);
  auto* const page = live_.header();
  const bool gives = config().pool_enabled && config().pool_ask_others;
  if (page && config().live_control) open_control(*page);
  if (page && gives) hear_wishes(*page);
  begin_keeping(config().pool_enabled ? config().pool_release_after : 0,
                page && (gives || config().live_control || shows_holders()));
  return pool;
}

stats::Report Process::described() const {
  const auto values = config::process_pattern_values();
  stats::Report report;
  report.version = GMLAKE_VERSION;
  report.revision = GMLAKE_REVISION;
  report.process = getpid();
  report.executable = loaded_.executable;
  report.host = values.host;
  report.rank = values.rank;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  report.pool_enabled = config().pool_enabled;
  report.stitch_enabled = config().stitch_enabled;
  report.events_seen = driver_door();
  report.follow_events = config().streams_follow_events;
  report.reuse_completed = config().streams_reuse_completed;
  report.single_stream = config().streams_single_stream;
  return report;
}

stats::Report Process::report_now() const {
  auto report = described();
  report.one_stream = driver_door() && streams_.only_legacy(nullptr) && !has_seen_blocking_stream();
  for (int i = 0; i <= most_device_; ++i)  // also of one that has given up
    if (const auto* pool = known_pool(i)) report.devices.push_back(pool->report());
  report.who = holders_now();
  return report;
}

void Process::report() {
  const NoCancel whole;
  (void)record::end();
  if (has_pools() && live_.writes()) live_.write(report_now());
  live_.end();
}

namespace {

// At the very end of exit(), after all of the program's own handlers: everything it freed is
// counted. No CUDA call is made here. A destructor of the library costs a process that never uses
// CUDA nothing, unlike a constructor.
__attribute__((destructor)) void at_the_end() {
  if (auto* process = Process::get_if_made()) (void)guarded([&] { process->report(); });
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const char* gmlake_version(void) {
  return GMLAKE_VERSION " (" GMLAKE_REVISION ")";
}

}  // namespace gmlake::hooks
