// libgmlake_faulty.so: which of its faults it has.
#include <cstdlib>
#include <string_view>

#include "support/fault.h"

namespace gmlake {
namespace {

Fault chosen() {
  const char* name = std::getenv("FAULTY_GMLAKE");
  if (!name) return Fault::none;
  const std::string_view wanted = name;
#define X(one, what) \
  if (wanted == #one) return Fault::one;
  GMLAKE_FAULTS(X)
#undef X
  std::abort();  // no such fault
}

}  // namespace

bool is_faulty(Fault fault) {
  static const Fault kChosen = chosen();
  return fault == kChosen;
}

}  // namespace gmlake
