// The pages of processes, as the commands look for them; and what is done with those of processes
// that have ended without a report: it is written now.
#pragma once

#include <string>
#include <vector>

#include "stats/live_reader.h"

namespace gmlake::tool {

// Where pages are: `named`, GMLAKE_STATS_LIVE_FOLDER, or the user's own folders.
std::vector<std::string> folders_of_pages(const std::string& named);

struct SeenPage {
  stats::PageView page;
  stats::Life life;
};
// Those that can be read, in the order of process numbers. What can not is said in `problems`.
std::vector<SeenPage> look_at_pages(const std::vector<std::string>& folders,
                                    std::vector<std::string>& problems);

// Reports of processes that have ended without one go where these would have written them. Those of
// the run of that name go to stderr where no file was named; others of that kind stay until
// somebody asks for them (`gmlake report`). Nothing of other users is touched.
void recover_reports(const std::vector<std::string>& folders, const std::string& run);
// Reports of the processes of that run as they are now, in their files (stats.interval).
void write_reports_meanwhile(const std::vector<std::string>& folders, const std::string& run);
// Those that stay: taken now, with their pages.
std::vector<stats::Report> take_left_reports(const std::vector<std::string>& folders);

}  // namespace gmlake::tool
