// What is mapped where in the simulated devices' address range, and how many kernel mappings that
// costs.
//
// Linux limits a process to vm.max_map_count mappings and merges neighbours that continue each
// other. The table counts as the kernel does and refuses in time: at the limit itself even an unmap
// would fail. Not thread-safe.
#pragma once

#include <map>

#include "physical.h"

namespace gmlake::simcuda {

using Address = std::uint64_t;

class PageTable {
 public:
  // The address range must be inaccessible anonymous memory. `unbacked`: every call succeeds and
  // does nothing.
  void open(bool backed);

  // [at, at + total of the extents) must be free. False: no room for more mappings, nothing
  // changed.
  bool map(Address at, int fd, const Extents& extents, int protection);
  // Both take ranges that cover whole earlier maps.
  bool protect(Address at, Bytes size, int protection);
  bool unmap(Address at, Bytes size);

  // For tests of the budget and for reports: kernel mappings the table accounts for.
  std::size_t kernel_mappings() const { return boundaries_; }

 private:
  struct Piece {
    Bytes size = 0;
    int fd = -1;
    std::uint64_t offset = 0;
    int protection = 0;
  };
  using Pieces = std::map<Address, Piece>;
  static bool continues(Pieces::const_iterator left, Pieces::const_iterator right);
  std::size_t boundaries_in(Address begin, Address end) const;
  bool room(std::size_t more, std::size_t reserve) const {
    return boundaries_ + more + reserve <= limit_;
  }

  Pieces pieces_;
  std::size_t boundaries_ = 0;  // places where one kernel mapping ends and another begins
  std::size_t limit_ = 0;
  bool backed_ = false;
};

}  // namespace gmlake::simcuda
