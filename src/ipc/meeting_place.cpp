#include "ipc/meeting_place.h"

#include <dirent.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include <spdlog/fmt/fmt.h>

namespace gmlake::ipc {
namespace {

constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC;
constexpr int kWaiting = 128;  // connections that the owner has not looked at yet

constexpr char kPrefix[] = "gmlake-";

bool address_of(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return true;
}

std::string path_of(const std::string& folder, const ProcessName& name) {
  return fmt::format("{}/{}{:016x}{:016x}.sock", folder, kPrefix, name.high, name.low);
}

int connect(int socket, const sockaddr_un& address) {
  int done = 0;
  do {
    done = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (done != 0 && errno == EINTR);
  return done;
}

bool nobody_listens(const std::string& path) {
  sockaddr_un address{};
  const Descriptor probe(socket(AF_UNIX, kType | SOCK_NONBLOCK, 0));
  return probe && address_of(path, address) && connect(probe.number(), address) != 0 &&
         errno == ECONNREFUSED;
}

// Processes that were killed could not remove theirs.
void remove_left_behind(const std::string& folder, long settled_seconds) {
  DIR* open = opendir(folder.c_str());
  if (!open) return;
  while (const dirent* entry = readdir(open)) {
    if (std::strncmp(entry->d_name, kPrefix, sizeof kPrefix - 1) != 0) continue;
    const auto path = folder + "/" + entry->d_name;
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode) ||
        status.st_uid != geteuid() || std::time(nullptr) - status.st_ctime < settled_seconds)
      continue;
    if (nobody_listens(path)) (void)unlink(path.c_str());
  }
  (void)closedir(open);
}

}  // namespace

Folders usual_folders() {
  return {"/dev/shm", "/tmp"};
}

ProcessName draw_name() {
  ProcessName name;
  if (getrandom(&name, sizeof name, 0) != sizeof name) return {};
  return name;
}

Descriptor listen_as(const ProcessName& name, const Folders& folders, std::string& path,
                     long settled_seconds) {
  int error = ENOENT;
  for (const auto& folder : folders) {
    Descriptor made(socket(AF_UNIX, kType | SOCK_NONBLOCK, 0));
    if (!made) return {};
    path = path_of(folder, name);
    sockaddr_un address{};
    // Before it has a name, so that it never has one under which others could open it.
    if (address_of(path, address) && fchmod(made.number(), S_IRUSR | S_IWUSR) == 0 &&
        bind(made.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      if (chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0 && listen(made.number(), kWaiting) == 0) {
        remove_left_behind(folder, settled_seconds);
        return made;
      }
      error = errno;
      (void)unlink(path.c_str());
    } else {
      error = errno;
    }
  }
  path.clear();
  errno = error;
  return {};
}

bool is_same_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

Descriptor connect_to(const ProcessName& name, const Folders& folders, unsigned seconds,
                      Unreachable& why) {
  why = Unreachable::gone;
  for (const auto& folder : folders) {
    Descriptor made(socket(AF_UNIX, kType, 0));
    sockaddr_un address{};
    const timeval limit{static_cast<time_t>(seconds), 0};
    if (!made || !address_of(path_of(folder, name), address) ||
        setsockopt(made.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(made.number(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
      why = Unreachable::silent;
      return {};
    }
    if (connect(made.number(), address) == 0) {
      if (is_same_user(made.number())) return made;
      why = Unreachable::other_user;
      return {};
    }
    if (errno == EACCES || errno == EPERM) why = Unreachable::other_user;
    if (errno == EAGAIN) why = Unreachable::silent;
  }
  return {};
}

}  // namespace gmlake::ipc
