// Where processes find each other: a socket in a folder that they share, named by the owner's lot.
// Containers that share nothing but /dev/shm meet there. Only the same user can open it: the file
// is his alone, and both ends ask the system who the other is.
#pragma once

#include <string>
#include <vector>

#include "ipc/descriptor.h"
#include "ipc/ticket.h"

namespace gmlake::ipc {

using Folders = std::vector<std::string>;
Folders usual_folders();

// A name that nobody else has. Nothing of 0 if the system gives no lot.
ProcessName draw_name();

// Listens under that name in the first folder that lets it, until the socket is closed and `path`
// removed. What ended processes have left in the folder is removed if it is older than that: who
// begins to listen is given the time. None, with errno, if it can not be had.
inline constexpr long kSettledSeconds = 10;
Descriptor listen_as(const ProcessName& name, const Folders& folders, std::string& path,
                     long settled_seconds = kSettledSeconds);

// Of a connection that came in, whether it is this user's.
bool is_same_user(int socket);

// A connection to that process, which gives up after `seconds` in every call. None if the process
// is no more, does not answer or is another user's.
enum class Unreachable { gone, silent, other_user };
Descriptor connect_to(const ProcessName& name, const Folders& folders, unsigned seconds,
                      Unreachable& why);

}  // namespace gmlake::ipc
