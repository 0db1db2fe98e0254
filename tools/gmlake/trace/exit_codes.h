// Exit codes of the trace and replay commands beside those in command.h; the numbers of sysexits.h.
#pragma once

namespace gmlake::tool {

inline constexpr int kOutOfMemory = 1;  // replay: a trace did not fit into the device
inline constexpr int kBadData = 65;
inline constexpr int kInterrupted = 130;  // replay: as the shell has it

}  // namespace gmlake::tool
