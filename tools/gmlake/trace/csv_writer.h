// Writes an allocation log in RMM's format, with our actions for order, to a file, a gzip file
// (name ends in .gz) or stdout
// ("-").
//
// The bytes depend on the rows alone: the gzip header holds no time and no name.
#pragma once

#include <cstdio>
#include <string>

#include "trace/trace.h"

struct gzFile_s;  // of zlib

namespace gmlake::trace {

class CsvWriter {
 public:
  CsvWriter() = default;
  ~CsvWriter();
  CsvWriter(const CsvWriter&) = delete;
  CsvWriter& operator=(const CsvWriter&) = delete;

  // Once, before the first row.
  Expected<void> open(const std::string& path);
  // `time` in microseconds; `pointer` is the CUDA event where the row is about order.
  void row(Kind kind, std::uint64_t thread, std::uint64_t time, std::uint64_t pointer, Bytes bytes,
           std::uint64_t stream);
  // Writes the rest. An earlier failure (a full disk) is reported here.
  Expected<void> close();

 private:
  void flush();

  std::string path_, buffer_, problem_;
  std::FILE* plain_ = nullptr;
  gzFile_s* packed_ = nullptr;
};

}  // namespace gmlake::trace
