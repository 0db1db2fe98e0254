// Writes an allocation log in RMM's format, with our actions for order, to a file, a gzip file
// (name ends in .gz) or stdout
// ("-").
//
// The bytes depend on the rows alone: the gzip header holds no time and no name.
#pragma once

#include <string>

#include "trace/out_file.h"

namespace gmlake::trace {

class CsvWriter {
 public:
  // Once, before the first row.
  Expected<void> open(const std::string& path);
  // `time` in microseconds; `pointer` is the CUDA event where the row is about order.
  void row(Kind kind, std::uint64_t thread, std::uint64_t time, std::uint64_t pointer, Bytes bytes,
           std::uint64_t stream);
  // Writes the rest. An earlier failure (a full disk) is reported here.
  Expected<void> close();

 private:
  OutFile out_;
};

}  // namespace gmlake::trace
