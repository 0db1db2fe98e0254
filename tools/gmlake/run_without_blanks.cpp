#include "run_without_blanks.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gmlake::tool {
namespace {

namespace fs = std::filesystem;

bool preload_can_hold(const std::string& path) {
  return path.starts_with('/') && path.find_first_of(" :\t\n") == std::string::npos;
}

std::vector<std::string> link_folders() {
  std::vector<std::string> folders;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache != nullptr && *cache != '\0') folders.push_back(std::string(cache) + "/gmlake");
  if (home != nullptr && *home != '\0') folders.push_back(std::string(home) + "/.cache/gmlake");
  folders.push_back(fmt::format("/tmp/gmlake-{}", getuid()));
  std::erase_if(folders, [](const auto& folder) { return !preload_can_hold(folder); });
  return folders;
}

// Whether nobody else can put something into it.
bool make_own_folder(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(fs::path(folder).parent_path(), failed);
  (void)mkdir(folder.c_str(), S_IRWXU);
  struct stat there {};
  return lstat(folder.c_str(), &there) == 0 && S_ISDIR(there.st_mode) && there.st_uid == getuid() &&
         (there.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// FNV-1a: each library has a folder of its own, as the file's name has to stay.
std::string folder_name_for(const std::string& library) {
  std::uint64_t hash = 14695981039346656037U;
  for (const unsigned char c : library) hash = (hash ^ c) * 1099511628211U;
  return fmt::format("{:016x}", hash);
}

}  // namespace

std::string preloadable(const std::string& library, std::string& reason) {
  if (library.find_first_of(" :\t\n") == std::string::npos) return library;
  for (const auto& folder : link_folders()) {
    const auto own = folder + "/" + folder_name_for(library);
    if (!make_own_folder(folder) || !make_own_folder(own)) continue;
    const auto link = own + "/" + fs::path(library).filename().string();
    if (!preload_can_hold(link)) continue;
    std::error_code failed;
    if (fs::read_symlink(link, failed) == library) return link;
    // Replaced in one step: others may be starting just now.
    const auto fresh = fmt::format("{}.{}", link, getpid());
    (void)unlink(fresh.c_str());
    if (symlink(library.c_str(), fresh.c_str()) == 0 &&
        std::rename(fresh.c_str(), link.c_str()) == 0)
      return link;
  }
  reason =
      "LD_PRELOAD can not hold a path with a space or a colon, and no link to it could be made in "
      "~/.cache/gmlake or /tmp; copy or link the library to another place";
  return {};
}

}  // namespace gmlake::tool
