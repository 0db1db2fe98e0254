#include "pool/call_places.h"

#include <link.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>

#include "pool/fake_device.h"

namespace gmlake::testing {

std::set<std::string> call_places() {
  const std::regex call(
      R"(\bdevice_\.(?!count\(|count_in\(|only_legacy|sees_work|records_in_frees|captures|pace|asks)\w+\()");
  std::set<std::string> places;
  for (const char* layer : {"pool", "stream"})
    for (const auto& file :
         std::filesystem::directory_iterator(std::string(GMLAKE_SOURCE_DIR "/src/") + layer)) {
      std::ifstream text(file.path());
      std::string line;
      for (int number = 1; std::getline(text, line); ++number)
        if (std::regex_search(line, call))
          places.insert(file.path().filename().string() + ':' + std::to_string(number));
    }
  return places;
}

std::string place_of(const void* behind_call) {
  // The first object is the program itself; what it was moved by is not in its line numbers.
  std::uintptr_t moved = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* out) {
        *static_cast<std::uintptr_t*>(out) = object->dlpi_addr;
        return 1;
      },
      &moved);
  const auto at = reinterpret_cast<std::uintptr_t>(behind_call) - 1 - moved;
  char command[4300], answer[4300] = "";
  std::snprintf(command, sizeof command, "addr2line -s -e '%s' %#lx",
                std::filesystem::read_symlink("/proc/self/exe").c_str(), at);
  FILE* const pipe = popen(command, "r");
  require(pipe != nullptr, "addr2line can not be started");
  std::string place = std::fgets(answer, sizeof answer, pipe) ? answer : "";
  require(pclose(pipe) == 0, "addr2line failed");
  // "mappings.cpp:58 (discriminator 2)"
  return place.substr(0, place.find_first_of(" \n"));
}

}  // namespace gmlake::testing
