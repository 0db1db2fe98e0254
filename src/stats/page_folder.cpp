#include "stats/page_folder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/live_reader.h"

namespace gmlake::stats {
namespace {

struct Close {
  void operator()(DIR* folder) const { (void)closedir(folder); }
};
using Folder = std::unique_ptr<DIR, Close>;

bool is_page_name(std::string_view name) {
  return name.ends_with(".page");
}

struct Old {
  timespec since{};
  char name[64]{};  // LivePage's are shorter
};

bool is_older(const Old& one, const Old& other) {
  return one.since.tv_sec != other.since.tv_sec ? one.since.tv_sec < other.since.tv_sec
                                                : one.since.tv_nsec < other.since.tv_nsec;
}

// The oldest of all that were added.
class Oldest {
 public:
  static constexpr std::size_t kMost = 32;

  void add(const Old& one) {
    if (count_ == kMost && !is_older(one, pages_.front())) return;
    if (count_ == kMost) std::pop_heap(pages_.begin(), pages_.begin() + count_--, is_older);
    pages_[static_cast<std::size_t>(count_++)] = one;
    std::push_heap(pages_.begin(), pages_.begin() + count_, is_older);
  }
  // The oldest `most` of them, the youngest of those first.
  template <typename Each>
  void each(std::size_t most, Each visit) {
    for (; count_ > 0; --count_) {
      if (static_cast<std::size_t>(count_) <= most) visit(pages_.front());
      std::pop_heap(pages_.begin(), pages_.begin() + count_, is_older);
    }
  }

 private:
  std::array<Old, kMost> pages_;  // the first `count_` are a heap, the youngest of them first
  std::ptrdiff_t count_ = 0;
};

}  // namespace

std::vector<std::string> pages_in(const std::string& folder) {
  std::vector<std::string> pages;
  const Folder opened(opendir(folder.c_str()));
  if (!opened) return pages;
  while (const auto* entry = readdir(opened.get()))
    if (is_page_name(entry->d_name)) pages.push_back(folder + "/" + entry->d_name);
  std::sort(pages.begin(), pages.end());
  return pages;
}

void keep_few_pages(const std::string& folder) {
  constexpr std::size_t kFew = 64;
  const Folder opened(opendir(folder.c_str()));
  if (!opened) return;
  Oldest oldest;
  std::size_t count = 0;
  while (const auto* entry = readdir(opened.get())) {
    Old page;
    struct stat there {};
    const std::size_t length = std::strlen(entry->d_name);
    if (!is_page_name(entry->d_name) || length >= sizeof page.name ||
        fstatat(dirfd(opened.get()), entry->d_name, &there, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    page.since = there.st_mtim;
    std::memcpy(page.name, entry->d_name, length + 1);
    oldest.add(page);
    ++count;
  }
  std::string ignored;
  oldest.each(count > kFew ? count - kFew : 0, [&](const Old& old) {
    const auto path = folder + "/" + old.name;
    const auto page = read_page(path, ignored, false);
    if (page && life_of(*page) == Life::ended) (void)unlink(path.c_str());
  });
}

}  // namespace gmlake::stats
