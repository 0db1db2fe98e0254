// Where in the program a call came from: a number of a loaded object and an offset in it, which
// stay true when the process is gone.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace gmlake::record {

class Modules {
 public:
  struct Module {
    std::uint64_t base = 0, size = 0;  // where it was loaded
    std::string path;                  // as a field of a row: nothing in it needs quotes
  };

  // "3+0x1a2b" for an address in the fourth object, a bare address for one in none, "" for 0. Valid
  // until the next call.
  const std::string& place_of(std::uint64_t address);
  // Objects have been loaded or unloaded since: what is known of addresses is looked up again.
  void refresh();
  // All that there have been, in the order of their numbers.
  const std::vector<Module>& all() const { return modules_; }

 private:
  struct Loaded {
    std::uint64_t begin, end;
    std::size_t number;
  };
  void look();

  std::vector<Module> modules_;
  std::vector<Loaded> loaded_;
  std::unordered_map<std::uint64_t, std::string> places_;
  std::uint64_t changes_ = ~std::uint64_t{0};
};

}  // namespace gmlake::record
