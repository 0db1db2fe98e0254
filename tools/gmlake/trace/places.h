// Where the blocks of a trace are, for pictures of addresses.
#pragma once

#include "trace/trace.h"

namespace gmlake::trace {

// A log's addresses may be names only, as those of `gmlake trace generate`: blocks that are live at
// once then overlap. These are given others, those of an allocator that takes the best fit. Whether
// that was so.
bool place_blocks(Trace& trace);

}  // namespace gmlake::trace
