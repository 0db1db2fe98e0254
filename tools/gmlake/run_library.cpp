// The table of dynamic symbols of an ELF file, read with a bound at each step: it may be any file.
#include "run_library.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gmlake::tool {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOurs = "gmlake_version";
constexpr std::uint64_t kMostTable = std::uint64_t{1} << 26;  // bytes of one table

class ElfFile {
 public:
  explicit ElfFile(const std::string& path)
      : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (file_ < 0) error_ = errno;
  }
  ~ElfFile() {
    if (file_ >= 0) (void)close(file_);
  }
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  int error() const { return error_; }

  bool exports(const char* name) const {
    struct stat there {};
    Elf64_Ehdr header{};
    if (file_ < 0 || fstat(file_, &there) != 0 || !S_ISREG(there.st_mode)) return false;
    if (!read(&header, sizeof header, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN ||
        header.e_shentsize != sizeof(Elf64_Shdr))
      return false;
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    if (!read(sections.data(), sections.size() * sizeof(Elf64_Shdr), header.e_shoff)) return false;
    for (const auto& section : sections)
      if (section.sh_type == SHT_DYNSYM && section.sh_link < sections.size())
        return defines(section, sections[section.sh_link], name);
    return false;
  }

 private:
  bool read(void* into, std::size_t bytes, std::uint64_t at) const {
    return at <= kMostOffset &&
           pread(file_, into, bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(bytes);
  }

  bool defines(const Elf64_Shdr& table, const Elf64_Shdr& names, const char* name) const {
    if (table.sh_size > kMostTable || names.sh_size > kMostTable) return false;
    std::vector<Elf64_Sym> symbols(table.sh_size / sizeof(Elf64_Sym));
    std::string text(names.sh_size, '\0');
    if (!read(symbols.data(), symbols.size() * sizeof(Elf64_Sym), table.sh_offset) ||
        !read(text.data(), text.size(), names.sh_offset))
      return false;
    return std::any_of(symbols.begin(), symbols.end(), [&](const Elf64_Sym& symbol) {
      return symbol.st_shndx != SHN_UNDEF && symbol.st_name < text.size() &&
             std::strcmp(text.c_str() + symbol.st_name, name) == 0;
    });
  }

  static constexpr std::uint64_t kMostOffset = std::uint64_t{1} << 40;
  const int file_;
  int error_ = 0;
};

}  // namespace

std::optional<std::string> why_not_ours(const std::string& file) {
  const ElfFile library(file);
  if (library.error() != 0) return std::strerror(library.error());
  if (!library.exports(kOurs)) return "is no libgmlake.so of this machine";
  return {};
}

std::optional<std::string> other_copy_preloaded(const std::string& library) {
  const char* value = std::getenv("LD_PRELOAD");
  const std::string entries = value != nullptr ? value : "";
  for (std::size_t start = 0; start < entries.size();) {
    const auto end = std::min(entries.find_first_of(" :", start), entries.size());
    const auto entry = entries.substr(start, end - start);
    std::error_code unlike;
    if (entry.find('/') != std::string::npos && entry != library &&
        !fs::equivalent(entry, library, unlike) && !why_not_ours(entry))
      return entry;
    start = end + 1;
  }
  return {};
}

}  // namespace gmlake::tool
