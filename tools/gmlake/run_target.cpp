// Looks at a program the way execvp, the kernel and the loader will.
#include "run_target.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace gmlake::tool {
namespace {

bool is_program(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && access(path.c_str(), X_OK) == 0;
}

// A 64-bit ELF executable without an interpreter is loaded by the kernel alone.
bool is_static(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    file.seekg(static_cast<std::streamoff>(header.e_phoff + std::size_t{i} * header.e_phentsize));
    if (!file.read(reinterpret_cast<char*>(&segment), sizeof segment)) return false;
    if (segment.p_type == PT_INTERP) return false;
  }
  return true;
}

// The kernel's condition for AT_SECURE: the program would run with rights its caller does not have.
bool raises_rights(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return false;
  const bool set_user = (file.st_mode & S_ISUID) != 0 && file.st_uid != getuid();
  const bool set_group = (file.st_mode & S_ISGID) != 0 && file.st_gid != getgid();
  const bool capabilities =
      getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
  return set_user || set_group || capabilities;
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos)
    return is_program(name) ? std::optional(name) : std::nullopt;
  const char* path = std::getenv("PATH");
  const std::string folders = path != nullptr ? path : "/bin:/usr/bin";
  for (std::size_t start = 0; start <= folders.size();) {
    const auto colon = std::min(folders.find(':', start), folders.size());
    // An empty entry of PATH is the current folder.
    const auto file = std::filesystem::path(folders.substr(start, colon - start)) / name;
    if (is_program(file)) return file.string();
    start = colon + 1;
  }
  return {};
}

std::optional<std::string> ignores_preload(const std::string& file) {
  if (raises_rights(file)) return "it is setuid, setgid or has capabilities";
  if (is_static(file)) return "it is statically linked";
  return {};
}

}  // namespace gmlake::tool
