#include "rates.h"

#include "stats/process_stamp.h"
#include "support/printable.h"

namespace gmlake::tool {

std::vector<Row> Rates::rows(const stats::PageView& page, stats::Life life) {
  std::vector<Row> rows;
  const auto now = stats::monotonic_nanoseconds();
  for (const auto& device : page.report.devices) {
    const auto& c = device.counters;
    auto& row = rows.emplace_back();
    row.process = page.report.process;
    row.program = printable(page.report.executable);
    row.rank = printable(page.report.rank);
    row.device = device.device;
    row.life = life;
    row.counters = c;
    row.page = page.path;
    // At first: since it began.
    const auto [known, is_new] =
        before_.try_emplace({page.path, device.device}, Before{page.began, {}});
    auto& before = known->second;
    const auto seconds = static_cast<double>(now - before.time) / 1e9;
    if (seconds > 0) {
      row.allocations_per_second =
          static_cast<double>(c.allocations - before.counters.allocations) / seconds;
      row.bytes_per_second =
          static_cast<double>(c.allocated_bytes - before.counters.allocated_bytes) / seconds;
    }
    row.stitches = c.stitches - before.counters.stitches;
    row.waits = waits(c) - waits(before.counters);
    before = {now, c};
  }
  return rows;
}

}  // namespace gmlake::tool
