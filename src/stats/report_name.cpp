#include "stats/report_name.h"

#include <cerrno>
#include <chrono>
#include <tuple>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/file_output.h"
#include "stats/live_reader.h"
#include "stats/page_folder.h"
#include "support/device_path.h"

namespace gmlake::stats {
namespace {

bool is_written_beside(const std::string& path, std::uint64_t since) {
  struct stat there {};
  if (since == 0 || stat(path.c_str(), &there) != 0 || !S_ISREG(there.st_mode)) return false;
  const auto written = static_cast<std::uint64_t>(there.st_mtim.tv_sec) * 1'000'000'000 +
                       static_cast<std::uint64_t>(there.st_mtim.tv_nsec);
  return written > since;
}

// Whether a process that was started before has the name, and will write there.
bool is_claimed(const std::string& path, const PageView& own) {
  const auto rank = [](const PageView& page) {
    return std::tuple(page.process_start, page.began, page.report.process, page.path);
  };
  std::string ignored;
  for (const auto& other : pages_in(own.path.substr(0, own.path.rfind('/')))) {
    if (other == own.path) continue;
    const auto page = read_page(other, ignored, false);
    if (page && (page->json_file == path || (page->text_report && page->text_file == path)) &&
        rank(*page) < rank(own) && life_of(*page) == Life::running)
      return true;
  }
  return false;
}

}  // namespace

Naming::Naming(const std::string& path) : path_(path) {
  using namespace std::chrono_literals;
  constexpr auto kLongest = 500ms;
  if (path.empty() || is_device_path(path) || make_folders_above(path) != 0) return;
  const auto slash = path.rfind('/');
  const auto folder = slash == std::string::npos ? std::string(".") : path.substr(0, slash + 1);
  folder_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto latest = std::chrono::steady_clock::now() + kLongest;
  while (folder_ >= 0 && flock(folder_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) break;
    is_alone_ = std::chrono::steady_clock::now() < latest;
    if (!is_alone_) break;
    (void)usleep(1000);
  }
}

// A child that was forked meanwhile has the descriptor as well, so closing it is not enough.
Naming::~Naming() {
  if (folder_ < 0) return;
  (void)flock(folder_, LOCK_UN);
  (void)close(folder_);
}

std::string Naming::name_for(const std::string& path, const Writer& writer) const {
  if (path.empty()) return path;
  std::string ignored;
  const auto own = writer.page.empty() ? std::nullopt : read_page(writer.page, ignored, false);
  const bool is_own = own && own->written;
  if ((is_own || (is_alone_ && !is_written_beside(path, writer.since))) &&
      (!own || !is_claimed(path, *own)))
    return path;
  return inserted_in_name(path, std::to_string(writer.process));
}

}  // namespace gmlake::stats
