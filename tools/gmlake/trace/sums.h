// Sums over what a file says, which may be anything: they stop at the largest number there is
// rather than begin again at none.
#pragma once

#include "support/units.h"

namespace gmlake::trace {

inline void add_to(Bytes& sum, Bytes more) {
  sum = more > ~Bytes{0} - sum ? ~Bytes{0} : sum + more;
}

}  // namespace gmlake::trace
