// The C API's figures: what a program that knows of gmlake may ask of its own process.
#include <algorithm>
#include <exception>
#include <string>

#include "hooks/gmlake.h"
#include "hooks/process.h"
#include "hooks/wrappers.h"
#include "stats/report.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {
namespace {

// Whether there was host memory to look at copies with: the pools' books are not touched.
template <typename Look>
bool without_room_nothing(Look look) {
  const NoCancel whole;
  try {
    look();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

extern "C" {

GMLAKE_EXPORT int gmlake_memory(int device, gmlake_bytes* bytes) {
  *bytes = {};
  const auto* process = Process::get_if_made();
  const auto* pool = process ? process->pool_if_any(device) : nullptr;
  if (!pool) return 0;
  return without_room_nothing([&] {
    const auto counters = pool->report().counters;
    *bytes = {counters.live_bytes, counters.peak_live_bytes, counters.physical_bytes,
              counters.peak_physical_bytes};
  });
}

GMLAKE_EXPORT std::size_t gmlake_report(char* json, std::size_t size) {
  const auto* process = Process::get_if_made();
  if (!process || !process->has_pools()) return 0;
  std::size_t length = 0;
  (void)without_room_nothing([&] {
    const auto text = stats::to_json(process->report_now());
    length = text.size();
    if (length < size) std::copy_n(text.c_str(), length + 1, json);
  });
  return length;
}

}  // extern "C"

}  // namespace gmlake::hooks
