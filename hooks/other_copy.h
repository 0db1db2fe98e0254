// Two libgmlake.so in one process, a copy of an older build beside the one of this: one of them
// serves, by an order that nobody chose, and the other's options and report are of nothing.
#pragma once

namespace gmlake::hooks {

// The file of another copy that the loader knows by name; null if there is none.
const char* other_copy();

}  // namespace gmlake::hooks
