// Loads a file, unpacks gzip and chooses the format; see reader.h.
#include "trace/reader.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gmlake::trace {
namespace {

// More text than this is no trace that could be replayed in memory; a small gzip file can unpack to
// any size.
constexpr std::size_t kMostText = std::size_t{8} << 30;

struct CloseGzip {
  void operator()(gzFile file) const { gzclose_r(file); }
};

using File = std::unique_ptr<gzFile_s, CloseGzip>;

// Nobody may ever write to a pipe with a name. One that was handed to us (standard input, a shell's
// <(...)) has somebody at its other end, and is waited for.
bool is_lonely(const std::string& path, int file) {
  struct stat status = {};
  if (path.starts_with("/dev/") || path.starts_with("/proc/") || fstat(file, &status) != 0 ||
      !S_ISFIFO(status.st_mode))
    return false;
  constexpr int kMilliseconds = 5000;
  pollfd ready{file, POLLIN, 0};
  return poll(&ready, 1, kMilliseconds) <= 0;
}

Expected<File> open_file(const std::string& path) {
  const auto failed = [&](const std::string& reason) {
    return tl::unexpected(fmt::format("{}: {}", path, reason));
  };
  const int file = path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                               : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return failed(std::strerror(errno));
  std::string reason;
  struct stat status = {};
  if (fstat(file, &status) == 0 && S_ISDIR(status.st_mode))
    reason = "is a directory; name a trace file";
  else if (path == "-" && isatty(file) == 1)
    reason = "standard input is a terminal; give it a trace, as in zcat step.csv.gz | gmlake ... -";
  else if (path != "-" && is_lonely(path, file))
    reason = "is a pipe that nobody has written to for 5 seconds; - reads standard input and waits";
  else if (path != "-" && fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_NONBLOCK) != 0)
    reason = std::strerror(errno);
  File opened(reason.empty() ? gzdopen(file, "rb") : nullptr);
  if (opened) return opened;
  const int error = errno;
  (void)::close(file);
  return failed(reason.empty() ? std::strerror(error) : reason);
}

struct Text {
  std::string text;
  bool cut = false;  // a packed file without its end, as whoever was killed amid writing leaves it
};

Expected<Text> load(const std::string& path) {
  const auto opened = open_file(path);
  if (!opened) return tl::unexpected(opened.error());
  const auto& file = *opened;

  constexpr unsigned kStep = 1U << 20;
  gzbuffer(file.get(), kStep);
  Text loaded;
  auto& text = loaded.text;
  for (;;) {
    const auto have = text.size();
    if (have > kMostText)
      return tl::unexpected(fmt::format("{}: holds more than {}; record a shorter period", path,
                                        human_bytes(kMostText)));
    text.resize(have + kStep);
    const int got = gzread(file.get(), text.data() + have, kStep);
    text.resize(have + static_cast<std::size_t>(got > 0 ? got : 0));
    int code = Z_OK;
    const char* reason = gzerror(file.get(), &code);
    // zlib reports a cut file only when asked, after the read that met its end.
    if (got == 0 && code == Z_BUF_ERROR) {
      loaded.cut = true;
      return loaded;
    }
    if (got < 0 || (got == 0 && code != Z_OK && code != Z_STREAM_END))
      return tl::unexpected(fmt::format(
          "{}: after {} unpacked bytes: {}; the file is damaged, copy or record it again", path,
          text.size(), code == Z_ERRNO ? std::strerror(errno) : reason));
    if (got == 0) return loaded;
  }
}

}  // namespace

Expected<Trace> read(const std::string& path, const ReadOptions& options) {
  const auto loaded = load(path);
  if (!loaded) return tl::unexpected(loaded.error());
  const auto& text = loaded->text;
  const auto prefix = [&](const std::string& reason) { return path + ": " + reason; };
  if (text.empty())
    return tl::unexpected(
        prefix("is empty; expected an allocation log (CSV) or a PyTorch memory snapshot"));
  constexpr char kPickleProtocol =
      '\x80';  // opcode PROTO, the first byte of every pickle since protocol 2
  if (text.front() == kPickleProtocol) return read_snapshot(text, options).map_error(prefix);
  auto reading = options;
  reading.cut = loaded->cut;
  return read_csv(text, reading).map_error(prefix);
}

}  // namespace gmlake::trace
