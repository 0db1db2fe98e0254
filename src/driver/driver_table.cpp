#include "driver/driver_table.h"

namespace gmlake::driver {

Result<DriverTable> DriverTable::load(Lookup lookup, void* context) {
  DriverTable table;
#define X(symbol, type, required)                                     \
  table.symbol##_ = reinterpret_cast<type>(lookup(#symbol, context)); \
  if (required && !table.symbol##_) return fail(CUDA_ERROR_NOT_FOUND, #symbol);
  GMLAKE_DRIVER_FUNCTIONS(X)
#undef X
  return table;
}

}  // namespace gmlake::driver
