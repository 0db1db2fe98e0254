// Writes the allocation trace of a workload. The same workload gives the same rows everywhere.
#pragma once

#include "trace/csv_writer.h"
#include "trace/generate/workload.h"

namespace gmlake::trace::generate {

// `writer` is open and stays so; `workload` has no problem().
void generate(const Workload& workload, CsvWriter& writer);

}  // namespace gmlake::trace::generate
