// A pipeline of operations, each on a stream of its own, put in order by CUDA events alone.
//
// An item (a batch of sequences) goes through all stages. Each stage allocates what it hands on, on
// its own stream; the next one uses it and frees it on its own. The host gives every stage its next
// item in a round, and drops what the round has used at its end. Between two stages there are
// `depth` slots: the consumer waits for a slot to be filled, the producer for it to be drained. In
// lockstep all stages also wait for the whole round before, forked from the first stage's stream
// and joined there.
#pragma once

#include "trace/csv_writer.h"
#include "trace/generate/workload.h"

namespace gmlake::trace::generate {

// `writer` is open and stays so; `workload` has no problem().
void pipeline(const Workload& workload, CsvWriter& writer);

}  // namespace gmlake::trace::generate
