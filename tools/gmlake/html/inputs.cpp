// Which kind of input it is, told from its content.
#include <cctype>
#include <filesystem>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "html/documents.h"
#include "live/pages.h"
#include "support/printable.h"
#include "trace/places.h"
#include "trace/reader.h"

namespace gmlake::tool::html {
namespace {

using nlohmann::json;

// A picture of a pool with a million blocks has a tenth of it.
constexpr std::size_t kMostJson = std::size_t{1} << 30;

// The text of a regular file, packed or not, that begins as JSON's objects do; nothing of another.
trace::Expected<std::optional<std::string>> json_text(const std::string& path) {
  std::error_code ignored;
  if (path == "-" || !std::filesystem::is_regular_file(path, ignored)) return std::nullopt;
  const gzFile file = gzopen(path.c_str(), "rbe");
  if (!file) return std::nullopt;  // the reader of traces says why
  constexpr unsigned kStep = 1U << 16;
  std::string text;
  std::optional<std::string> found;
  int got = 0;
  do {
    const auto have = text.size();
    text.resize(have + kStep);
    got = gzread(file, text.data() + have, kStep);
    text.resize(have + static_cast<std::size_t>(got > 0 ? got : 0));
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && text[first] != '{') break;
  } while (got > 0 && text.size() <= kMostJson);
  const auto first = text.find_first_not_of(" \t\r\n");
  gzclose_r(file);
  if (first == std::string::npos || text[first] != '{') return std::nullopt;
  if (text.size() > kMostJson)
    return tl::unexpected(fmt::format("{}: is larger than any report", path));
  return text;
}

std::vector<Document> of_json(const std::string& name, const json& file) {
  const auto format = file.value("format", "");
  std::vector<Document> made;
  if (format == "gmlake-out-of-memory") {
    made.push_back(shortage_document(name, file));
  } else if (format == "gmlake-report") {
    made.push_back(report_document(name, file));
  } else if (format == "gmlake-processes") {
    for (const auto& report : file.at("processes")) made.push_back(report_document(name, report));
  } else {
    throw std::runtime_error(
        "it is JSON, but no report, no out-of-memory file and no list of processes");
  }
  return made;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

trace::Expected<std::vector<Document>> of_process(const std::string& number,
                                                  const std::string& folder) {
  std::vector<std::string> problems;
  std::vector<Document> made;
  for (const auto& seen : look_at_pages(folders_of_pages(folder), problems))
    if (std::to_string(seen.page.report.process) == number)
      made.push_back(page_document(seen.page));
  if (!made.empty()) return made;
  return tl::unexpected(
      fmt::format("{}: there is no file of that name, and no process of that number that has a "
                  "page; `gmlake stats` shows those there are",
                  number));
}

}  // namespace

trace::Expected<std::vector<Document>> documents_of(const std::string& input,
                                                    const InputOptions& options) {
  std::error_code ignored;
  if (is_number(input) && !std::filesystem::exists(input, ignored))
    return of_process(input, options.folder);
  const auto text = json_text(input);
  if (!text) return tl::unexpected(text.error());
  if (*text) {
    try {
      return of_json(input, json::parse(**text));
    } catch (const std::exception& problem) {
      return tl::unexpected(
          fmt::format("{}: can not be shown: {}", input, printable(problem.what())));
    }
  }
  trace::ReadOptions reading;
  reading.device = options.device;
  reading.stacks = true;
  auto trace = trace::read(input, reading);
  if (!trace) return tl::unexpected(trace.error());
  if (trace->allocations == 0)
    return tl::unexpected(
        fmt::format("{}: holds no allocation, so there is nothing to show", input));
  const bool moved = trace::place_blocks(*trace);
  std::vector<Document> made;
  made.push_back(trace_document(input, *trace));
  made.back().about["moved"] = moved;
  return made;
}

}  // namespace gmlake::tool::html
