// A file that an export writes from front to back: plain, gzip (name ends in .gz) or stdout ("-").
// The gzip header holds no time and no name.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "trace/trace.h"

struct gzFile_s;  // of zlib

namespace gmlake::trace {

class OutFile {
 public:
  OutFile() = default;
  ~OutFile();
  OutFile(const OutFile&) = delete;
  OutFile& operator=(const OutFile&) = delete;

  Expected<void> open(const std::string& path);
  void put(std::string_view bytes);
  // What is filled with text or bytes until it is large enough to be written.
  std::string& buffer() { return buffer_; }
  void maybe_flush() {
    if (buffer_.size() >= kFlushAt) flush();
  }
  // Writes the rest. An earlier failure (a full disk) is reported here.
  Expected<void> close();

 private:
  static constexpr std::size_t kFlushAt = std::size_t{1} << 20;
  void flush();

  std::string path_, buffer_, problem_;
  std::FILE* plain_ = nullptr;
  gzFile_s* packed_ = nullptr;
};

}  // namespace gmlake::trace
