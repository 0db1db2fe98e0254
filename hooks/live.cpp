#include "hooks/live.h"

#include <climits>
#include <cstdlib>

#include <unistd.h>

#include "config/environment.h"
#include "config/pattern.h"
#include "stats/process_stamp.h"
#include "stats/report_name.h"
#include "support/log.h"

namespace gmlake::hooks {
namespace {

// GMLAKE_RUN is "PROCESS:TIME", when that `gmlake run` began: all that is under it is of one run.
std::uint64_t run_began(const std::string& run) {
  const auto colon = run.find(':');
  return colon == std::string::npos ? 0 : std::strtoull(run.c_str() + colon + 1, nullptr, 10);
}

}  // namespace

std::string whole_path(const std::string& name) {
  char folder[PATH_MAX];
  if (name.empty() || name.starts_with('/') || !getcwd(folder, sizeof folder)) return name;
  return std::string(folder) + "/" + name;
}

void Live::begin(const config::Config& config, const stats::Report& described) {
  if (begun_) return;
  begun_ = true;
  const auto values = config::process_pattern_values();
  const auto name = [&](const std::string& pattern) {
    return whole_path(config::expand_pattern(pattern, values));
  };
  facts_.text_report = config.stats_report != config::ReportKind::none;
  facts_.full_text = config.stats_report == config::ReportKind::full;
  facts_.text_file = name(config.stats_file);
  facts_.json_file = name(config.stats_json_file);
  const auto environment = config::process_environment();
  if (const auto run = environment.find("GMLAKE_RUN"); run != environment.end())
    facts_.run = run->second;
  facts_.since = run_began(facts_.run);
  if (const auto stamp = stats::stamp_of(getpid()); facts_.since == 0 && stamp)
    facts_.since = stats::started_at(*stamp);
  if (config.stats_live && !page_.begin(name(config.stats_live_folder), described, facts_))
    log::info("there is no room for a live page: gmlake stats will not see this process");
}

std::string Live::own_name(const stats::Naming& naming, const std::string& name,
                           const char* option) const {
  auto own = naming.name_for({getpid(), facts_.since, page_.path()});
  if (own != name)
    log::warning(
        "another process of this run writes {}, so that what this one writes goes to {}; "
        "%p or %r in {} keeps them apart",
        name, own, option);
  return own;
}

void Live::write(const stats::Report& report) const {
  if (facts_.text_report) {
    const stats::Naming naming(facts_.text_file);
    (void)stats::write_text(report, own_name(naming, facts_.text_file, "stats.file"),
                            facts_.full_text);
  }
  if (!facts_.json_file.empty()) {
    const stats::Naming naming(facts_.json_file);
    (void)stats::write_json(report, own_name(naming, facts_.json_file, "stats.json_file"));
  }
}

}  // namespace gmlake::hooks
