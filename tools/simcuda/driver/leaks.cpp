#include "leaks.h"

#include <spdlog/fmt/fmt.h>

#include "context.h"
#include "findings.h"
#include "graph_exec.h"
#include "memory.h"

namespace gmlake::simcuda {
namespace {

void leaked(const char* what, std::size_t count, const std::string& more = {}) {
  if (count != 0) found(Check::leaks, what, fmt::format("at exit: {} {}{}", count, what, more));
}

std::string of_bytes(Bytes bytes) {
  return fmt::format(" ({})", human_bytes(bytes));
}

}  // namespace

void report_leaks() {
  if (!checking(Check::leaks) || !memory_is_open()) return;
  {
    const SchedulerLock lock = lock_scheduler();
    leaked("contexts not destroyed or released", live_contexts());
    leaked("streams not destroyed", live_streams());
    leaked("events not destroyed", live_events());
  }
  {
    const GraphLock lock = lock_graphs();
    leaked("graphs not destroyed", live_graphs());
    leaked("executable graphs not destroyed", live_executables());
  }
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  Bytes bytes = 0;
  std::size_t count = 0;
  m.handles.for_each([&](const PhysicalHandle& handle) {
    if (handle.references == 0) return;
    ++count;
    bytes += handle.size;
  });
  leaked("physical handles not released", count, of_bytes(bytes));
  leaked("mappings not unmapped", m.mappings.size());
  leaked("address reservations not freed", m.reservations.size());
  leaked("memory pools not destroyed", m.live_pools.size() - config().devices);
  bytes = count = 0;
  for (const auto& [at, block] : m.allocations)
    if (!block.freeing) {
      ++count;
      bytes += block.size;
    }
  leaked("device allocations not freed", count, of_bytes(bytes));
  leaked("host allocations not freed", m.host.size());
}

}  // namespace gmlake::simcuda
