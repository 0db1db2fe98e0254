#include "trace/out_file.h"

#include <cerrno>
#include <cstring>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

namespace gmlake::trace {

OutFile::~OutFile() {
  if (packed_) gzclose(packed_);
  if (plain_ && plain_ != stdout) std::fclose(plain_);
}

Expected<void> OutFile::open(const std::string& path) {
  path_ = path;
  errno = 0;
  if (path == "-")
    plain_ = stdout;
  else if (path.ends_with(".gz"))
    packed_ = gzopen(path.c_str(), "wb6");
  else
    plain_ = std::fopen(path.c_str(), "wb");
  if (!plain_ && !packed_)
    return tl::unexpected(fmt::format("{}: can not be written: {}", path, std::strerror(errno)));
  return {};
}

void OutFile::put(std::string_view bytes) {
  buffer_ += bytes;
  maybe_flush();
}

void OutFile::flush() {
  const auto size = buffer_.size();
  errno = 0;
  const bool done =
      packed_ ? size == 0 || gzwrite(packed_, buffer_.data(), static_cast<unsigned>(size)) > 0
              : std::fwrite(buffer_.data(), 1, size, plain_) == size;
  if (!done && problem_.empty()) problem_ = errno != 0 ? std::strerror(errno) : "the write failed";
  buffer_.clear();
}

Expected<void> OutFile::close() {
  flush();
  errno = 0;
  bool closed = true;
  if (packed_) closed = gzclose(packed_) == Z_OK;
  if (plain_) closed = (plain_ == stdout ? std::fflush(plain_) : std::fclose(plain_)) == 0;
  packed_ = nullptr;
  plain_ = nullptr;
  if (!closed && problem_.empty())
    problem_ = errno != 0 ? std::strerror(errno) : "the write failed";
  if (!problem_.empty()) return tl::unexpected(fmt::format("{}: {}", path_, problem_));
  return {};
}

}  // namespace gmlake::trace
