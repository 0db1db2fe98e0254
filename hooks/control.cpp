#include "hooks/control.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "hooks/holders.h"
#include "hooks/process.h"
#include "hooks/recording.h"
#include "stats/file_output.h"
#include "support/futex.h"

namespace gmlake::hooks {
namespace {

using stats::live::Control;
using stats::live::Order;

constexpr Bytes kAsConfigured = ~Bytes{0};

// The picture of each device's pool, as when an allocation fails.
int dump(const std::string& path) {
  int error = 0, number = 0;
  (void)each_pool([&](pool::DevicePool& pool) {
    const auto picture = pool.snapshot(pool.shortage(0), holders_now());
    const int failed = stats::replace_file(stats::numbered_path(path, ++number), picture);
    if (failed != 0) error = failed;
  });
  return error;
}

std::string path_of(const Control& control) {
  return {control.path, strnlen(control.path, sizeof control.path)};
}

void carry_out(Control& control) {
  control.answer = 0;
  control.error = 0;
  switch (control.order) {
    case Order::trim:
      (void)each_pool([&](pool::DevicePool& pool) { control.answer += pool.trim(control.amount); });
      break;
    case Order::limit: {
      const auto most =
          control.amount == kAsConfigured ? Process::get().config().pool_max_bytes : control.amount;
      (void)each_pool([&](pool::DevicePool& pool) { pool.limit(most); });
      break;
    }
    case Order::dump:
      control.error = dump(path_of(control));
      break;
    case Order::record:
      control.error = begin_recording_to(path_of(control), Process::get().config().trace_max_bytes);
      break;
    case Order::end_record:
      control.error = record::end() ? 0 : ENOENT;
      break;
    default:
      control.error = ENOSYS;
  }
}

}  // namespace

void open_control(stats::live::Header& page) {
  page.control.open.store(1, std::memory_order_release);
}

void answer_command(stats::live::Header& page) {
  auto& control = page.control;
  const auto asked = control.asked.load(std::memory_order_acquire);
  if (control.open.load(std::memory_order_relaxed) == 0 ||
      asked == control.done.load(std::memory_order_relaxed))
    return;
  carry_out(control);
  control.done.store(asked, std::memory_order_release);
  wake_all(control.done);
}

}  // namespace gmlake::hooks
