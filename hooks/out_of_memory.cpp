#include "hooks/out_of_memory.h"

#include <array>
#include <cstring>
#include <exception>

#include "config/pattern.h"
#include "hooks/holders.h"
#include "hooks/process.h"
#include "stats/file_output.h"
#include "support/log.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {
namespace {

constexpr int kMostSnapshots = 3;  // in one process

// By device.
constinit std::array<Occasions, Process::kMostDevices> failures{};
constinit std::atomic<int> snapshots{0};

void write_snapshot(const pool::DevicePool& pool, const pool::Shortage& shortage) {
  const auto& name = Process::get().config().stats_oom_file;
  const int number = name.empty() ? 0 : ++snapshots;
  if (number == 0 || number > kMostSnapshots) return;
  const auto path =
      stats::numbered_path(config::expand_pattern(name, config::process_pattern_values()), number);
  if (const int error = stats::replace_file(path, pool.snapshot(shortage, holders_now())))
    log::error("stats.oom_file can not be written to {}: {}", path, std::strerror(error));
  else if (number == 1)
    log::warning("the pool's whole picture at that moment is in {}", path);
}

}  // namespace

void say_out_of_memory(pool::DevicePool& pool, std::size_t bytes) noexcept try {
  const NoCancel whole;
  const auto number = failures[static_cast<unsigned>(pool.ordinal())].next();
  if (number == 0 || Process::get().has_given_up()) return;
  const auto shortage = pool.shortage(bytes);
  const auto said = pool.explain(shortage);
  if (number == 1)
    log::warning("{}", said);
  else
    log::warning("{}; {} requests have failed there so far, the next that is said is number {}",
                 said.substr(0, said.find('\n')), number, number * 10);
  write_snapshot(pool, shortage);
} catch (const std::exception&) {  // no host memory: there is nothing left to say it with
}

}  // namespace gmlake::hooks
