// Reading the pages of other processes (stats/live_layout.h), without stopping anybody: from a
// copy, in which everything is checked before it is used. Figures beside each other may be of
// slightly different moments, where the process went on counting meanwhile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stats/live_layout.h"
#include "stats/report.h"

namespace gmlake::stats {

struct DeviceHistory {
  int device = 0;
  std::vector<Sample> samples;  // the oldest first
};

// A process as its page says it is.
struct PageView {
  std::string path;
  std::uint64_t process_start = 0;
  std::uint64_t pid_namespace = 0;
  std::uint64_t began = 0;  // monotonic, nanoseconds
  std::uint64_t since = 0;  // live::Header
  std::string run;
  bool text_report = false, full_text = false;
  std::string text_file, json_file;
  bool written = false;     // those are there, as they were some time ago
  bool controlled = false;  // it takes commands
  Report report;
  std::vector<DeviceHistory> history;
  std::uint64_t last_moment = 0;  // of the history; `began` without one
};

// Whether the process of a page still counts there. `elsewhere`: it is none that can be seen from
// here, as in another container.
enum class Life { running, ended, elsewhere };

// Nothing if it is no page of this version; `problem` then says why, and is "" where it is gone or
// has no header yet.
// `figures`: else what the process says of itself, which is a tenth of the work.
std::optional<PageView> read_page(const std::string& path, std::string& problem,
                                  bool figures = true);
Life life_of(const PageView& page);

}  // namespace gmlake::stats
