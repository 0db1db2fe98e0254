// A wrong program and its correct twin: one function, which is told which of the two to be. The
// twin differs by exactly the piece that the wrong program lacks.
#pragma once

#include <vector>

namespace gmlake::mutants {

enum class Twin { wrong, correct };

struct Pair {
  const char* name;   // "order.write_write"
  const char* about;  // what is wrong, in a few words
  const char* finds;  // a part of the finding that tells it
  void (*run)(Twin twin);
};
using Pairs = std::vector<Pair>;

Pairs order_pairs();
Pairs host_pairs();
Pairs lifetime_pairs();
Pairs mapping_pairs();
Pairs handle_pairs();
Pairs leak_pairs();
Pairs peer_pairs();
Pairs graph_pairs();
Pairs shim_pairs();
Pairs preload_pairs();

}  // namespace gmlake::mutants
