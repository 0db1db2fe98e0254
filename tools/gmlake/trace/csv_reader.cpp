// RMM's allocation log: Thread,Time,Action,Pointer,Size,Stream, and our own with more columns
// (Device) and actions that put streams in order.
//
// Columns are found by name, so their order and further columns do not matter. A log may be cut in
// its last row, as by a kill, and may be made of several that follow each other, each with a header
// and what is live then (record/rows.h).
#include <algorithm>
#include <array>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "trace/builder.h"
#include "trace/csv_actions.h"
#include "trace/csv_fields.h"
#include "trace/reader.h"
#include "trace/sums.h"

namespace gmlake::trace::csv {
namespace {

enum Column : unsigned { kThread, kTime, kAction, kPointer, kSize, kStream, kDevice, kColumns };
constexpr std::array<std::string_view, kColumns> kNames{"Thread", "Time",   "Action", "Pointer",
                                                        "Size",   "Stream", "Device"};
constexpr std::string_view kHeader = "Thread,Time,Action,Pointer,Size,Stream";
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

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
  std::optional<std::string> problem_of(Builder::Outcome outcome, std::uint64_t pointer) const;
  static std::string bad(Column column, std::string_view text, std::string_view wanted) {
    return fmt::format("{} is '{}', expected {}", kNames[column], text.substr(0, 40), wanted);
  }

  std::optional<int> device_;
  std::array<std::size_t, kColumns> at_{};
  Fields fields_;
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
  } else if (row.what == What::pace || row.what == What::pace_spent) {
    auto& trace = builder_.trace();
    trace.paces.push_back({trace.events.size(), *pointer, *size, row.what == What::pace});
  } else if (row.what == What::stream) {
    if (*size != 0) outcome = builder_.blocking(*stream, *thread);
  } else if (kind == Kind::complete || kind == Kind::work) {
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
              : kind >= Kind::fence  ? builder_.progress(kind, *pointer, *time, *stream, *thread,
                                                         row.what != What::pending)
                                     : builder_.order(kind, *pointer, *time, *stream, *thread);
  }
  return problem_of(outcome, *pointer);
}

std::optional<std::string> Reader::problem_of(Builder::Outcome outcome,
                                              std::uint64_t pointer) const {
  switch (outcome) {
    case Builder::Outcome::live_already:
      return fmt::format(
          "allocates {:#x}, which is live; the log mixes processes or devices or lost lines: "
          "record one "
          "process per file, with a Device column for several devices",
          pointer);
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
}  // namespace gmlake::trace::csv

namespace gmlake::trace {

Expected<Trace> read_csv(std::string_view text, const ReadOptions& options) {
  csv::Reader reader(options);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::uint64_t number = 0;
  std::string_view header;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const bool last = end == std::string_view::npos;  // perhaps not all of it
    const auto line = csv::trim(text.substr(0, end));
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
    return tl::unexpected(fmt::format("holds no line; expected the header '{}'", csv::kHeader));
  return std::move(reader).finish();
}

}  // namespace gmlake::trace
