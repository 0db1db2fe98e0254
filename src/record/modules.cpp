#include "record/modules.h"

#include <algorithm>

#include <link.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

namespace gmlake::record {
namespace {

std::string executable_path() {
  char path[4096];
  const auto length = readlink("/proc/self/exe", path, sizeof path);
  return {path, static_cast<std::size_t>(std::max<ssize_t>(0, length))};
}

// A name may hold anything but a zero.
std::string as_field(const std::string& path) {
  std::string field;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == ',' || c == '"' || c == '%')
      field += fmt::format("%{:02X}", byte);
    else
      field += c;
  }
  return field;
}

std::uint64_t changes_of(const dl_phdr_info& info) {
  return info.dlpi_adds + info.dlpi_subs;
}

}  // namespace

void Modules::look() {
  struct Found {
    std::vector<Module> modules;
    std::uint64_t changes = 0;
  } found;
  // The loader's list is held for so long: nothing but notes is taken.
  (void)dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        auto& all = *static_cast<Found*>(out);
        all.changes = changes_of(*info);
        std::uint64_t begin = ~std::uint64_t{0}, end = 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          begin = std::min<std::uint64_t>(begin, info->dlpi_addr + segment.p_vaddr);
          end = std::max<std::uint64_t>(end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
        }
        const std::uint64_t base = info->dlpi_addr;
        if (begin < end) all.modules.push_back({base, end - base, info->dlpi_name});
        return 0;
      },
      &found);
  changes_ = found.changes;
  loaded_.clear();
  for (auto& module : found.modules) {
    module.path = as_field(module.path.empty() ? executable_path() : module.path);
    const auto same = std::find_if(modules_.begin(), modules_.end(), [&](const Module& known) {
      return known.base == module.base && known.size == module.size && known.path == module.path;
    });
    const auto number = static_cast<std::size_t>(same - modules_.begin());
    loaded_.push_back({module.base, module.base + module.size, number});
    if (same == modules_.end()) modules_.push_back(std::move(module));
  }
}

void Modules::refresh() {
  std::uint64_t changes = 0;
  (void)dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        *static_cast<std::uint64_t*>(out) = changes_of(*info);
        return 1;  // the first says it of all
      },
      &changes);
  if (changes == changes_) return;
  places_.clear();
  look();
}

const std::string& Modules::place_of(std::uint64_t address) {
  // A program that makes code as it goes may call from any number of places.
  constexpr std::size_t kMost = std::size_t{1} << 16;
  if (places_.size() > kMost) places_.clear();
  const auto [known, fresh] = places_.try_emplace(address);
  if (!fresh || address == 0) return known->second;
  const auto in = std::find_if(loaded_.begin(), loaded_.end(), [&](const Loaded& object) {
    return address >= object.begin && address < object.end;
  });
  known->second = in == loaded_.end() ? fmt::format("{:#x}", address)
                                      : fmt::format("{}+{:#x}", in->number, address - in->begin);
  return known->second;
}

}  // namespace gmlake::record
