// RMM's allocation log: Thread,Time,Action,Pointer,Size,Stream, and our own with more columns
// (Device) and actions that put streams in order.
//
// Columns are found by name, so their order and further columns do not matter. A log may be cut in
// its last row, as by a kill, and may be made of several that follow each other, each with a header
// and what is live then (record/rows.h).
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "trace/builder.h"
#include "trace/reader.h"
#include "trace/sums.h"

namespace gmlake::trace {
namespace {

enum Column : unsigned { kThread, kTime, kAction, kPointer, kSize, kStream, kDevice, kColumns };
constexpr std::array<std::string_view, kColumns> kNames{"Thread", "Time",   "Action", "Pointer",
                                                        "Size",   "Stream", "Device"};
constexpr std::string_view kHeader = "Thread,Time,Action,Pointer,Size,Stream";
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMostFields = 64;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

// Splits a line into at most kMostFields trimmed fields; a quoted field may not hold a comma or a
// quote.
std::size_t split(std::string_view line, std::array<std::string_view, kMostFields>& fields) {
  std::size_t count = 0;
  for (bool more = true; more && count < kMostFields;) {
    const auto comma = line.find(',');
    more = comma != std::string_view::npos;
    auto field = trim(line.substr(0, comma));
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
      field = field.substr(1, field.size() - 2);
    fields[count++] = field;
    if (more) line.remove_prefix(comma + 1);
  }
  return count;
}

std::optional<std::uint64_t> parse_integer(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || stop != text.data() + text.size()) return {};
  return value;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) return parse_integer(text.substr(2), 16);
  return parse_integer(text, 10);
}

std::optional<std::uint64_t> parse_pointer(std::string_view text) {
  if (text == "(nil)") return 0;
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  return parse_integer(text, 16);
}

// "HH:MM:SS.ffffff" or seconds with an optional fraction, in microseconds.
std::optional<std::uint64_t> parse_time(std::string_view text) {
  std::uint64_t seconds = 0;
  auto whole = text.substr(0, text.find('.'));
  auto fraction =
      whole.size() < text.size() ? text.substr(whole.size() + 1) : std::string_view("0");
  for (unsigned parts = 0;; ++parts) {
    const auto colon = whole.find(':');
    const auto part = parse_integer(whole.substr(0, colon), 10);
    // What an Event's time holds, in microseconds.
    constexpr std::uint64_t kMostSeconds = (std::uint64_t{1} << 61) / 1'000'000 - 1;
    if (!part || *part > kMostSeconds - seconds * 60 || parts > 2) return {};
    seconds = seconds * 60 + *part;
    if (seconds > kMostSeconds / 60 && colon != std::string_view::npos) return {};
    if (colon == std::string_view::npos) break;
    whole.remove_prefix(colon + 1);
  }
  std::uint64_t micros = 0;
  for (std::size_t i = 0; i < std::max<std::size_t>(6, fraction.size()); ++i) {
    const char digit = i < fraction.size() ? fraction[i] : '0';
    if (digit < '0' || digit > '9') return {};
    if (i < 6) micros = micros * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return seconds * 1'000'000 + micros;
}

// What a row's action is. Some say more by their size: whether what was asked for was over.
enum class What : std::uint8_t {
  event,     // of a Kind
  answered,  // one if it was over, otherwise nothing
  failure,
  live,
  forget,
  stream,
  native,
  lost,
  note  // for people
};
struct Row {
  std::string_view action;
  What what;
  Kind kind = Kind::allocate;
};
constexpr std::array kRows{Row{"allocate", What::event, Kind::allocate},
                           Row{"free", What::event, Kind::free},
                           Row{"record", What::event, Kind::record},
                           Row{"wait", What::event, Kind::wait},
                           Row{"synchronize", What::event, Kind::synchronize},
                           Row{"query", What::answered, Kind::synchronize},
                           Row{"synchronize stream", What::event, Kind::complete},
                           Row{"query stream", What::answered, Kind::complete},
                           Row{"synchronize context", What::event, Kind::complete},
                           Row{"fence", What::event, Kind::fence},
                           Row{"fence passed", What::event, Kind::passed},
                           Row{"fence pending", What::note},
                           Row{"allocate failure", What::failure},
                           Row{"live", What::live},
                           Row{"forget", What::forget},
                           Row{"stream", What::stream},
                           Row{"stream ends", What::note},
                           Row{"allocate natively", What::native},
                           Row{"free natively", What::native},
                           Row{"lost", What::lost},
                           Row{"module", What::note},
                           Row{"process", What::note}};

class Reader {
 public:
  explicit Reader(const ReadOptions& options) : device_(options.device) {}

  std::optional<std::string> header(std::string_view line);  // the problem, if any
  std::optional<std::string> row(std::string_view line);
  void cut(bool in_row) {
    builder_.trace().cut = true;
    builder_.trace().cut_rows += in_row;
  }
  Trace finish() && {
    builder_.trace().device = device_.value_or(0);
    return std::move(builder_).finish();
  }

 private:
  std::string_view field(Column column) const {
    return at_[column] == kNowhere ? std::string_view() : fields_[at_[column]];
  }
  std::optional<std::string> event(const Row& row);
  static std::string bad(Column column, std::string_view text, std::string_view wanted) {
    return fmt::format("{} is '{}', expected {}", kNames[column], text.substr(0, 40), wanted);
  }

  std::optional<int> device_;
  std::array<std::size_t, kColumns> at_{};
  std::array<std::string_view, kMostFields> fields_;
  std::size_t columns_ = 0;
  Builder builder_;
};

std::optional<std::string> Reader::header(std::string_view line) {
  columns_ = split(line, fields_);
  for (unsigned column = 0; column < kColumns; ++column) {
    const auto* const begin = fields_.data();
    const auto* const end = begin + columns_;
    const auto* const found = std::find(begin, end, kNames[column]);
    at_[column] = found == end ? kNowhere : static_cast<std::size_t>(found - begin);
    const bool required = column != kDevice && column != kThread && column != kTime;
    if (required && found == end)
      return fmt::format(
          "no column '{}'; the first line must be the header '{}', more columns may follow",
          kNames[column], kHeader);
  }
  if (at_[kDevice] == kNowhere && device_.value_or(0) != 0)
    return fmt::format(
        "no column 'Device', so that all of it is of device 0 and nothing of device {}; leave "
        "--device out",
        *device_);
  return {};
}

std::optional<std::string> Reader::row(std::string_view line) {
  if (const auto count = split(line, fields_); count != columns_)
    return fmt::format("has {} fields, the header has {}", count, columns_);

  const auto action = field(kAction);
  const auto* const known = std::find_if(kRows.begin(), kRows.end(),
                                         [&](const Row& row) { return row.action == action; });
  if (known == kRows.end())
    return bad(kAction, action,
               "allocate, free, record, wait, synchronize, 'allocate failure' or another of "
               "docs/traces.md");
  if (known->what == What::note) return {};
  const bool of_device =
      known->what != What::lost && known->what != What::stream && known->what != What::forget;
  if (at_[kDevice] != kNowhere && of_device) {
    const auto device = parse_integer(field(kDevice), 10);
    if (!device || *device > 0xffff) return bad(kDevice, field(kDevice), "a device number");
    if (!device_) device_ = static_cast<int>(*device);
    if (static_cast<int>(*device) != *device_) {
      ++builder_.trace().other_devices;
      return {};
    }
  }
  if (known->what == What::failure) ++builder_.trace().allocation_failures;
  if (known->what == What::native) ++builder_.trace().native;
  if (known->what == What::failure || known->what == What::native) return {};
  return event(*known);
}

std::optional<std::string> Reader::event(const Row& row) {
  const auto pointer = parse_pointer(field(kPointer));
  if (!pointer) return bad(kPointer, field(kPointer), "a hexadecimal address or (nil)");
  const auto size = parse_number(field(kSize));
  if (!size || *size > std::numeric_limits<std::int64_t>::max())
    return bad(kSize, field(kSize), "a number of bytes");
  const auto stream = field(kStream) == "(nil)"  ? 0
                      : field(kStream) == "host" ? kHost
                                                 : parse_number(field(kStream));
  if (!stream) return bad(kStream, field(kStream), "a decimal or 0x number, or host");
  const auto time = at_[kTime] == kNowhere ? 0 : parse_time(field(kTime));
  if (!time) return bad(kTime, field(kTime), "HH:MM:SS.ffffff or seconds");
  const auto thread = at_[kThread] == kNowhere ? 0 : parse_number(field(kThread));
  if (!thread) return bad(kThread, field(kThread), "a number");

  const auto kind = row.kind;
  auto outcome = Builder::Outcome::added;
  if (row.what == What::lost) {
    add_to(builder_.trace().lost, *size);
  } else if (row.what == What::stream) {
    if (*size != 0) outcome = builder_.blocking(*stream, *thread);
  } else if (kind == Kind::complete) {
    if (row.what == What::event || *size != 0)
      outcome = builder_.progress(kind, 0, *time, *stream, *thread);
  } else if (*pointer == 0) {
    return {};  // size 0 gives no memory: RMM logs it as (nil)
  } else if (row.what == What::forget) {
    builder_.forget(*pointer);
  } else if (row.what == What::live) {
    if (builder_.is_live(*pointer)) return {};
    ++builder_.trace().initial_blocks;
    outcome = builder_.allocate(*pointer, *size, *time, *stream, *thread);
  } else if (row.what == What::answered && *size == 0) {
    return {};
  } else {
    outcome = kind == Kind::allocate ? builder_.allocate(*pointer, *size, *time, *stream, *thread)
              : kind == Kind::free   ? builder_.free(*pointer, *time, *stream, *thread)
              : kind >= Kind::fence  ? builder_.progress(kind, *pointer, *time, *stream, *thread)
                                     : builder_.order(kind, *pointer, *time, *stream, *thread);
  }
  switch (outcome) {
    case Builder::Outcome::live_already:
      return fmt::format(
          "allocates {:#x}, which is live; the log mixes processes or devices or lost lines: "
          "record one "
          "process per file, with a Device column for several devices",
          *pointer);
    case Builder::Outcome::too_many:
      return std::string(
          "more than 65536 streams or threads, or 2^32 allocations or CUDA events; record a "
          "shorter "
          "period");
    case Builder::Outcome::too_large:
      return fmt::format("Size is {}: more is live then than any device has", field(kSize));
    case Builder::Outcome::added:
    case Builder::Outcome::unknown_block:
      break;
  }
  return {};
}

}  // namespace

Expected<Trace> read_csv(std::string_view text, const ReadOptions& options) {
  Reader reader(options);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::uint64_t number = 0;
  std::string_view header;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const bool last = end == std::string_view::npos;  // perhaps not all of it
    const auto line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.empty()) continue;
    const bool headed = !header.empty();
    if (headed && line == header) continue;
    if (headed && last && options.cut) {
      reader.cut(true);
      break;
    }
    const auto problem = headed ? reader.row(line) : reader.header(line);
    if (problem && headed && last) {
      reader.cut(true);
      break;
    }
    if (problem) return tl::unexpected(fmt::format("line {}: {}", number, *problem));
    if (!headed) header = line;
  }
  if (options.cut) reader.cut(false);
  if (header.empty())
    return tl::unexpected(fmt::format("holds no line; expected the header '{}'", kHeader));
  return std::move(reader).finish();
}

}  // namespace gmlake::trace
