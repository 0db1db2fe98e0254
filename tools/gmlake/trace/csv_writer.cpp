// Buffered rows to a file, gzip or stdout; see csv_writer.h.
#include "trace/csv_writer.h"

#include <cerrno>
#include <cstring>
#include <iterator>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

namespace gmlake::trace {
namespace {

constexpr std::size_t kFlushAt = std::size_t{1} << 20;

}  // namespace

CsvWriter::~CsvWriter() {
  if (packed_) gzclose(packed_);
  if (plain_ && plain_ != stdout) std::fclose(plain_);
}

Expected<void> CsvWriter::open(const std::string& path) {
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
  buffer_ = "Thread,Time,Action,Pointer,Size,Stream\n";
  return {};
}

void CsvWriter::row(Kind kind, std::uint64_t thread, std::uint64_t time, std::uint64_t pointer,
                    Bytes bytes, std::uint64_t stream) {
  const auto seconds = time / 1'000'000;
  fmt::format_to(std::back_inserter(buffer_), "{},{:02}:{:02}:{:02}.{:06},{},{:#x},{},{:#x}\n",
                 thread, seconds / 3600, seconds / 60 % 60, seconds % 60, time % 1'000'000,
                 kActions[static_cast<unsigned>(kind)], pointer, bytes, stream);
  if (buffer_.size() >= kFlushAt) flush();
}

void CsvWriter::flush() {
  const auto size = buffer_.size();
  errno = 0;
  const bool done =
      packed_ ? size == 0 || gzwrite(packed_, buffer_.data(), static_cast<unsigned>(size)) > 0
              : std::fwrite(buffer_.data(), 1, size, plain_) == size;
  if (!done && problem_.empty()) problem_ = errno != 0 ? std::strerror(errno) : "the write failed";
  buffer_.clear();
}

Expected<void> CsvWriter::close() {
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
