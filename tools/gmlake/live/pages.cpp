#include "pages.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/pattern.h"
#include "stats/page_folder.h"
#include "stats/process_stamp.h"
#include "stats/report_name.h"

namespace gmlake::tool {
namespace {

constexpr time_t kKept = 7 * 24 * 3600;  // seconds that a report waits for somebody

// The page of a process of this user, held so that nobody else recovers it too.
class Held {
 public:
  explicit Held(const std::string& path)
      : path_(path), file_(open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) {
    held_ = file_ >= 0 && fstat(file_, &there_) == 0 && there_.st_uid == geteuid() &&
            flock(file_, LOCK_EX | LOCK_NB) == 0 && fstat(file_, &there_) == 0 &&
            there_.st_nlink != 0;
  }
  ~Held() {
    if (file_ >= 0) (void)close(file_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  explicit operator bool() const { return held_; }
  void remove() const { (void)unlink(path_.c_str()); }
  bool is_old() const { return time(nullptr) - there_.st_mtime > kKept; }
  bool note_written() const {
    const std::uint32_t yes = 1;
    return pwrite(file_, &yes, sizeof yes,
                  static_cast<off_t>(offsetof(stats::live::Header, written))) == sizeof yes;
  }
  // Its JSON report is written.
  void forget_json() const {
    (void)!pwrite(file_, "", 1, static_cast<off_t>(offsetof(stats::live::Header, json_file)));
  }

 private:
  const std::string path_;
  const int file_;
  struct stat there_ {};
  bool held_ = false;
};

void each_ended(const std::vector<std::string>& folders,
                const std::function<void(stats::PageView&, const Held&)>& visit) {
  for (const auto& folder : folders)
    for (const auto& path : stats::pages_in(folder)) {
      std::string problem;
      auto page = stats::read_page(path, problem);
      if (!page || stats::life_of(*page) != stats::Life::ended) continue;
      const Held held(path);
      if (!held) continue;
      // As it is now that nobody writes there.
      page = stats::read_page(path, problem);
      if (!page) continue;
      page->report.recovered = true;
      const double seconds = static_cast<double>(page->last_moment - page->began) / 1e9;
      const double since = std::exchange(page->report.seconds, seconds) - seconds;
      for (auto& holder : page->report.who.holders)
        holder.oldest_seconds = std::max(0.0, holder.oldest_seconds - since);
      visit(*page, held);
    }
}

// False: its text has nowhere to go but to whoever asks.
bool write_reports(stats::PageView& page, const Held& held, const std::string& run) {
  const auto& report = page.report;
  if (report.devices.empty()) return true;
  const stats::Writer writer{report.process, page.since, page.path};
  if (!page.json_file.empty()) {
    const stats::Naming naming(page.json_file);
    (void)stats::write_json(report, naming.name_for(writer));
    held.forget_json();
  }
  if (!page.text_report) return true;
  if (page.text_file.empty() && (run.empty() || page.run != run)) return false;
  const stats::Naming naming(page.text_file);
  (void)stats::write_text(report, naming.name_for(writer), page.full_text);
  return true;
}

}  // namespace

std::vector<std::string> folders_of_pages(const std::string& named) {
  if (!named.empty()) return {named};
  if (const char* other = std::getenv("GMLAKE_STATS_LIVE_FOLDER"); other && *other != '\0')
    return {config::expand_pattern(other, config::process_pattern_values())};
  return stats::page_folders();
}

std::vector<SeenPage> look_at_pages(const std::vector<std::string>& folders,
                                    std::vector<std::string>& problems) {
  std::vector<SeenPage> seen;
  for (const auto& folder : folders)
    for (const auto& path : stats::pages_in(folder)) {
      std::string problem;
      if (auto page = stats::read_page(path, problem)) {
        const auto life = stats::life_of(*page);
        seen.push_back({std::move(*page), life});
      } else if (!problem.empty()) {
        problems.push_back(path + ": " + problem);
      }
    }
  std::stable_sort(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
    return a.page.report.process < b.page.report.process;
  });
  return seen;
}

void recover_reports(const std::vector<std::string>& folders, const std::string& run) {
  each_ended(folders, [&](stats::PageView& page, const Held& held) {
    if (!run.empty() && page.run == run)
      page.report.seconds = static_cast<double>(stats::monotonic_nanoseconds() - page.began) / 1e9;
    if (write_reports(page, held, run) || held.is_old()) held.remove();
  });
}

void write_reports_meanwhile(const std::vector<std::string>& folders, const std::string& run) {
  std::vector<std::string> problems;
  for (const auto& [page, life] : look_at_pages(folders, problems)) {
    if (life != stats::Life::running || page.run != run || page.report.devices.empty()) continue;
    const Held held(page.path);
    if (!held) continue;
    const stats::Writer writer{page.report.process, page.since, page.path};
    using Path = std::filesystem::path;
    const auto text = page.text_report ? page.text_file : "";
    const auto& json = page.json_file;
    const stats::Naming naming(text);
    // Whoever has the folder has it for both.
    std::optional<stats::Naming> elsewhere;
    if (text.empty() || Path(json).parent_path() != Path(text).parent_path())
      elsewhere.emplace(json);
    // One that another process may take in the end is not for us to begin.
    const bool own = naming.name_for(writer) == text &&
                     (elsewhere ? *elsewhere : naming).name_for(json, writer) == json;
    if (!own || !held.note_written()) continue;
    if (!text.empty()) (void)stats::write_text(page.report, text, page.full_text);
    if (!json.empty()) (void)stats::write_json(page.report, json);
  }
}

std::vector<stats::Report> take_left_reports(const std::vector<std::string>& folders) {
  std::vector<stats::Report> reports;
  each_ended(folders, [&](const stats::PageView& page, const Held& held) {
    if (!page.report.devices.empty()) reports.push_back(page.report);
    held.remove();
  });
  return reports;
}

}  // namespace gmlake::tool
