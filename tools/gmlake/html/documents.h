// What the page of `gmlake report --html` shows: a document for each input, as JSON with columns of
// numbers beside it. html/unpack.js reads them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "stats/live_reader.h"
#include "trace/trace.h"

namespace gmlake::tool::html {

struct Column {
  std::string bytes;  // varints
  std::size_t count = 0;
  void add(std::uint64_t number);
  void add_signed(std::int64_t number);  // 0, -1, 1, -2, ... as 0, 1, 2, 3, ...
};

struct Document {
  nlohmann::json about;
  std::vector<std::pair<std::string, Column>> columns;
};

struct InputOptions {
  std::optional<int> device;  // of a trace
  std::string folder;         // of pages
};

// A trace, an out-of-memory file, reports as JSON, or the number of a process that has a page. The
// error names the input.
trace::Expected<std::vector<Document>> documents_of(const std::string& input,
                                                    const InputOptions& options);

Document trace_document(const std::string& name, const trace::Trace& trace);
// These throw nlohmann's exceptions where the JSON is no such document.
Document shortage_document(const std::string& name, const nlohmann::json& file);
Document report_document(const std::string& name, const nlohmann::json& report);
Document page_document(const stats::PageView& page);

// The whole page, one file.
std::string page_of(const std::vector<Document>& documents);

// `gmlake report --html OUT INPUT...`
int write_page(const std::string& out, const std::vector<std::string>& inputs,
               const InputOptions& options);

}  // namespace gmlake::tool::html
