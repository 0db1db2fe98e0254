// Rows to a file, gzip or stdout; see csv_writer.h.
#include "trace/csv_writer.h"

#include <iterator>

#include <spdlog/fmt/fmt.h>

namespace gmlake::trace {

Expected<void> CsvWriter::open(const std::string& path) {
  if (auto opened = out_.open(path); !opened) return opened;
  out_.put("Thread,Time,Action,Pointer,Size,Stream\n");
  return {};
}

void CsvWriter::row(Kind kind, std::uint64_t thread, std::uint64_t time, std::uint64_t pointer,
                    Bytes bytes, std::uint64_t stream) {
  const auto seconds = time / 1'000'000;
  fmt::format_to(std::back_inserter(out_.buffer()),
                 "{},{:02}:{:02}:{:02}.{:06},{},{:#x},{},{:#x}\n", thread, seconds / 3600,
                 seconds / 60 % 60, seconds % 60, time % 1'000'000,
                 kActions[static_cast<unsigned>(kind)], pointer, bytes, stream);
  out_.maybe_flush();
}

Expected<void> CsvWriter::close() {
  return out_.close();
}

}  // namespace gmlake::trace
