#include "who/python_text.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "who/own_memory.h"
#include "who/python_layout.h"

namespace gmlake::who {
namespace {

// Together less than a line of a live page (stats/holder.h).
constexpr std::size_t kMostName = 96, kMostFile = 136;
constexpr std::size_t kMostTable = std::size_t{1} << 20;
constexpr const char* kLeftOut = "...";

// The head of an object, at one look: looks are what takes time here.
class Head {
 public:
  Head(std::uintptr_t object, std::size_t bytes, std::uintptr_t type)
      : is_there_(object != 0 && bytes <= sizeof bytes_ && look_at(object, bytes_, bytes) &&
                  at<std::uintptr_t>(kPythonType) == type) {}
  explicit operator bool() const { return is_there_; }  // and of that type
  template <typename T>
  T at(std::size_t offset) const {
    T value;
    std::memcpy(&value, bytes_ + offset, sizeof value);
    return value;
  }

 private:
  unsigned char bytes_[256];
  bool is_there_;
};

std::string in_utf8(std::uint32_t c) {
  const auto byte = [](std::uint32_t bits) { return static_cast<char>(bits); };
  const auto next = [&](unsigned shift) { return byte(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), next(0)};
  if (c >= 0xd800 && c < 0xe000) return fmt::format("\\u{:04x}", c);
  if (c < 0x10000) return {byte(0xe0 | c >> 12), next(6), next(0)};
  return {byte(0xf0 | (c >> 18 & 7)), next(12), next(6), next(0)};
}

std::uint32_t character_at(const unsigned char* at, std::size_t size) {
  std::uint32_t c = 0;
  std::memcpy(&c, at, size);  // the lowest byte first, as the machine has it
  return c;
}

// What of the table is left out, is of no line then.
std::vector<unsigned char> table_at(std::uintptr_t bytes, const PythonTypes& types) {
  const Head head(bytes, kPythonSize + sizeof(std::size_t), types.bytes);
  if (!head) return {};
  std::vector<unsigned char> table(std::min(head.at<std::size_t>(kPythonSize), kMostTable));
  if (!look_at(bytes + kPythonBytes, table.data(), table.size())) table.clear();
  return table;
}

}  // namespace

std::optional<std::string> text_of(const PythonLayout& layout, const PythonTypes& types,
                                   std::uintptr_t object, std::size_t most, Keep keep) {
  const Head head(object, kPythonState + sizeof(std::uint32_t), types.text);
  if (!head) return {};
  const auto length = head.at<std::size_t>(kPythonLength);
  const auto state = head.at<std::uint32_t>(kPythonState);
  const std::size_t size = state >> 2 & 7;
  const bool compact = (state >> 5 & 1) != 0, ascii = (state >> 6 & 1) != 0;
  if (!compact || (size != 1 && size != 2 && size != 4) || length > kMostTable) return {};
  const auto begin = object + (ascii ? layout.ascii_text : layout.compact_text);
  const auto taken = std::min(length, most);  // each is a byte or more
  std::vector<unsigned char> characters(taken * size);
  const auto skipped = keep == Keep::end ? (length - taken) * size : 0;
  if (taken != 0 && !look_at(begin + skipped, characters.data(), characters.size())) return {};

  std::vector<std::string> parts;
  std::size_t bytes = 0;
  bool whole = taken == length;
  for (std::size_t i = 0; i < taken; ++i) {
    const auto which = keep == Keep::end ? taken - 1 - i : i;
    auto part = in_utf8(character_at(&characters[which * size], size));
    whole = whole && bytes + part.size() <= most;
    if (bytes + part.size() > most) break;
    bytes += part.size();
    parts.push_back(std::move(part));
  }
  if (!whole) {
    while (!parts.empty() && bytes + std::strlen(kLeftOut) > most) {
      bytes -= parts.back().size();
      parts.pop_back();
    }
    parts.emplace_back(kLeftOut);
  }
  if (keep == Keep::end) std::reverse(parts.begin(), parts.end());
  std::string text;
  for (const auto& part : parts) text += part;
  return text;
}

std::optional<std::string> line_of(const PythonLayout& layout, const PythonTypes& types,
                                   std::uintptr_t code, std::uintptr_t instruction) {
  const bool is_old = layout.bytecode == kNone;
  const Head head(code, is_old ? layout.lines + sizeof(std::uintptr_t) : layout.bytecode,
                  types.code);
  if (!head) return {};
  long at = 0;
  if (is_old) {
    at = static_cast<std::int32_t>(instruction) * static_cast<long>(layout.bytes_of_number);
  } else {
    constexpr long kUnit = 2;
    at = static_cast<long>(instruction - (code + layout.bytecode));
    if (at < head.at<std::int32_t>(layout.first_traceable) * kUnit) return "";
  }
  const auto name_text =
      text_of(layout, types, head.at<std::uintptr_t>(layout.name), kMostName, Keep::start);
  const auto file_text =
      text_of(layout, types, head.at<std::uintptr_t>(layout.file), kMostFile, Keep::end);
  if (!name_text || !file_text) return "";
  const auto table = table_at(head.at<std::uintptr_t>(layout.lines), types);
  return fmt::format("{} ({}:{})", *name_text, *file_text,
                     PythonLines::line_of(layout.kind_of_lines, table,
                                          head.at<std::int32_t>(layout.first_line), at));
}

}  // namespace gmlake::who
