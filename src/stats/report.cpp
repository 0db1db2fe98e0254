// Adding devices up, and delivering a report without throwing.
#include "stats/report.h"

#include <cerrno>
#include <cstring>
#include <exception>

#include "stats/file_output.h"
#include "support/log.h"
#include "support/stderr.h"

namespace gmlake::stats {
namespace {

template <typename Make>
Status deliver(const char* what, const std::string& path, Make make) noexcept {
  int error = 0;
  try {
    const std::string text = make();
    error = path.empty() ? write_stderr(text) : replace_file(path, text);
    if (error == 0) return {};
    log::error("{} can not be written to {}: {}; name a file this user can write", what,
               path.empty() ? "stderr" : path.c_str(), std::strerror(error));
  } catch (const std::exception&) {  // no host memory: there is nothing left to say it with
    if (error == 0) error = ENOMEM;
  }
  return fail(error, what);
}

}  // namespace

DeviceReport total(const std::vector<DeviceReport>& devices) {
  DeviceReport sum;
  sum.device = -1;
  for (const auto& part : devices) {
#define X(name, kind, unit, help) sum.counters.name += part.counters.name;
    GMLAKE_COUNTERS(X)
#undef X
    for (unsigned call = 0; call < kDriverCalls; ++call) {
      sum.driver[call].calls += part.driver[call].calls;
      sum.driver[call].nanoseconds += part.driver[call].nanoseconds;
      sum.driver[call].failures += part.driver[call].failures;
    }
    const auto& pairs = part.unproved.pairs;
    sum.unproved.pairs.insert(sum.unproved.pairs.end(), pairs.begin(), pairs.end());
    sum.unproved.others += part.unproved.others;
  }
  sort(sum.unproved);
  return sum;
}

double utilization(const DeviceCounters& counters) {
  if (counters.peak_physical_bytes == 0) return 0;
  return static_cast<double>(counters.peak_live_bytes) /
         static_cast<double>(counters.peak_physical_bytes);
}

Status write_text(const Report& report, const std::string& text_file, bool full) noexcept {
  return deliver("the report (stats.file)", text_file, [&] { return to_text(report, full); });
}

Status write_json(const Report& report, const std::string& json_file) noexcept {
  return deliver("the report (stats.json_file)", json_file, [&] { return to_json(report); });
}

}  // namespace gmlake::stats
