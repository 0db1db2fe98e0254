// A folder of live pages. Those of processes that were killed stay there, to be told of by the next
// command; where nobody asks for them they must not fill the machine's memory.
#pragma once

#include <string>
#include <vector>

namespace gmlake::stats {

// The files that may be pages, by name. Nothing of a folder that is not there.
std::vector<std::string> pages_in(const std::string& folder);

// Removes pages of ended processes, the oldest first, a few at a time, where there are more than a
// few. Reads at most a fixed number of pages whatever is there, so that what it takes of host
// memory does not grow with what others left. Throws std::bad_alloc.
void keep_few_pages(const std::string& folder);

}  // namespace gmlake::stats
