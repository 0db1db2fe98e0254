// Loads a file, unpacks gzip and chooses the format; see reader.h.
#include "trace/reader.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <zlib.h>

namespace gmlake::trace {
namespace {

// More text than this is no trace that could be replayed in memory; a small gzip file can unpack to
// any size.
constexpr std::size_t kMostText = std::size_t{8} << 30;

struct CloseGzip {
  void operator()(gzFile file) const { gzclose_r(file); }
};

Expected<std::string> load(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0)
    return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  if (S_ISDIR(status.st_mode))
    return tl::unexpected(fmt::format("{}: is a directory; name a trace file", path));
  const std::unique_ptr<gzFile_s, CloseGzip> file(gzopen(path.c_str(), "rb"));
  if (!file) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));

  constexpr unsigned kStep = 1U << 20;
  gzbuffer(file.get(), kStep);
  std::string text;
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
    if (got < 0 || (got == 0 && code != Z_OK && code != Z_STREAM_END))
      return tl::unexpected(fmt::format(
          "{}: after {} unpacked bytes: {}; the file is cut or damaged, copy or record it again",
          path, text.size(), code == Z_ERRNO ? std::strerror(errno) : reason));
    if (got == 0) return text;
  }
}

}  // namespace

Expected<Trace> read(const std::string& path, const ReadOptions& options) {
  auto text = load(path);
  if (!text) return tl::unexpected(text.error());
  const auto prefix = [&](const std::string& reason) { return path + ": " + reason; };
  if (text->empty())
    return tl::unexpected(
        prefix("is empty; expected an allocation log (CSV) or a PyTorch memory snapshot"));
  constexpr char kPickleProtocol =
      '\x80';  // opcode PROTO, the first byte of every pickle since protocol 2
  if (text->front() == kPickleProtocol) return read_snapshot(*text, options).map_error(prefix);
  return read_csv(*text, options).map_error(prefix);
}

}  // namespace gmlake::trace
