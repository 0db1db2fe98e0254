// The yardstick for times: what a malloc of 64 bytes and its free cost in this process, here and
// now.
#pragma once

namespace gmlake::replay {

// Nanoseconds of a pair, in the best of a few batches that take some milliseconds together.
double malloc_pair_nanoseconds();

}  // namespace gmlake::replay
