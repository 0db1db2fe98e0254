#include "output.h"

#include <cerrno>
#include <cstring>
#include <iostream>

#include <fcntl.h>
#include <unistd.h>

#include "command.h"
#include "support/printable.h"

namespace gmlake::tool {

int complain(std::string_view who, int code, std::string_view message) {
  std::cerr << "gmlake: " << who << (who.empty() ? "" : ": ") << printable(message, "\n\t") << "\n";
  return code;
}

void keep_standard_descriptors() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    // Opened the wrong way round: it fails as a closed one does. The program that `run` starts has
    // it closed, as it was.
    if (fcntl(number, F_GETFD) < 0 && errno == EBADF)
      (void)open("/dev/null", (number == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int after_output(int code) {
  errno = 0;
  if (std::cout.flush()) return code;
  // Of a write that has failed before the reason is gone.
  complain("", 0,
           std::string("standard output can not be written") +
               (errno != 0 ? std::string(": ") + std::strerror(errno) : ""));
  return code == kSuccess ? kCanNotWrite : code;
}

}  // namespace gmlake::tool
