#include "trace/pickle_writer.h"

namespace gmlake::trace {

void PickleWriter::little(std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out_.buffer() += static_cast<char>(value >> 8 * i & 0xff);
}

void PickleWriter::number(std::uint64_t value) {
  if (value <= 0xff) {
    out_.buffer() += 'K';
    little(value, 1);
  } else if (value <= 0x7fffffff) {
    out_.buffer() += 'J';
    little(value, 4);
  } else {
    // Signed: the highest bit of the last byte has to be 0.
    int bytes = 5;
    while (bytes < 9 && value >> (8 * bytes - 1) != 0) ++bytes;
    out_.buffer() += '\x8a';
    little(static_cast<std::uint64_t>(bytes), 1);
    little(value, bytes < 8 ? bytes : 8);
    if (bytes == 9) out_.buffer() += '\0';
  }
}

void PickleWriter::text(std::string_view value) {
  if (const auto known = texts_.find(std::string(value)); known != texts_.end())
    return recall(known->second);
  out_.buffer() += 'X';
  little(value.size(), 4);
  out_.buffer() += value;
  texts_.emplace(value, remember());
}

std::uint32_t PickleWriter::remember() {
  out_.buffer() += 'r';
  little(remembered_, 4);
  return remembered_++;
}

void PickleWriter::recall(std::uint32_t remembered) {
  out_.buffer() += remembered <= 0xff ? 'h' : 'j';
  little(remembered, remembered <= 0xff ? 1 : 4);
}

}  // namespace gmlake::trace
