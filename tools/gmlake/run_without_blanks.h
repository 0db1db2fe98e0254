// LD_PRELOAD can not hold a path with a blank or a colon: it is a list with either between.
#pragma once

#include <string>

namespace gmlake::tool {

// The library under a name that LD_PRELOAD can hold: as it is, or a link of the user's own to it
// that stays, in the user's cache folder, so that other machines of a job see it where they share
// the home; in /tmp if that is no such name either. Empty if there is none, and why.
std::string preloadable(const std::string& library, std::string& reason);

}  // namespace gmlake::tool
