// The page: its parts (page.html, style.css and the scripts, put together by parts.cmake) with the
// documents between them. These are packed: there is no text of theirs that a browser could take
// for something else.
#include <cstring>
#include <iostream>
#include <new>
#include <string>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "command.h"
#include "generated/page_parts.h"
#include "html/documents.h"
#include "output.h"
#include "stats/file_output.h"
#include "trace/exit_codes.h"
#include "version.h"

namespace gmlake::tool::html {
namespace {

using nlohmann::json;

std::string gzip(const std::string& bytes) {
  constexpr int kGzip = 16 + MAX_WBITS, kMemory = 8, kLevel = 6;
  z_stream stream = {};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string packed;
  std::vector<char> part(std::size_t{1} << 16);
  constexpr std::size_t kStep = std::size_t{1} << 24;
  for (std::size_t at = 0;;) {
    const auto some = std::min(kStep, bytes.size() - at);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at));
    stream.avail_in = static_cast<uInt>(some);
    at += some;
    const bool last = at == bytes.size();
    do {
      stream.next_out = reinterpret_cast<Bytef*>(part.data());
      stream.avail_out = static_cast<uInt>(part.size());
      deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
      packed.append(part.data(), part.size() - stream.avail_out);
    } while (stream.avail_out == 0);
    if (last) break;
  }
  deflateEnd(&stream);
  return packed;
}

std::string base64(const std::string& bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve(bytes.size() / 3 * 4 + 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[at])) : 0U;
    };
    const auto three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    text += kDigits[three >> 18];
    text += kDigits[three >> 12 & 63];
    text += i + 1 < bytes.size() ? kDigits[three >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? kDigits[three & 63] : '=';
  }
  return text;
}

}  // namespace

void Column::add(std::uint64_t number) {
  ++count;
  for (; number > 127; number >>= 7) bytes += static_cast<char>((number & 127) | 128);
  bytes += static_cast<char>(number);
}

void Column::add_signed(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  add(number < 0 ? ~(bits << 1) : bits << 1);
}

std::string page_of(const std::vector<Document>& documents) {
  json about{{"format", "gmlake-pictures"},
             {"version", 1},
             {"gmlake", GMLAKE_VERSION},
             {"documents", json::array()}};
  std::string columns;
  for (const auto& document : documents) {
    auto one = document.about;
    one["columns"] = json::object();
    for (const auto& [name, column] : document.columns) {
      one["columns"][name] = {columns.size(), column.bytes.size(), column.count};
      columns += column.bytes;
    }
    about["documents"].push_back(std::move(one));
  }
  const auto text = about.dump(-1, ' ', true, json::error_handler_t::replace);
  std::string data;
  for (int i = 0; i < 4; ++i) data += static_cast<char>(text.size() >> 8 * i & 255);
  return kPageBefore + base64(gzip(data + text + columns)) + kPageAfter;
}

int write_page(const std::string& out, const std::vector<std::string>& inputs,
               const InputOptions& options) {
  std::vector<Document> documents;
  for (const auto& input : inputs) {
    auto made = documents_of(input, options);
    if (!made) return complain("report", kBadData, made.error());
    for (auto& document : *made) documents.push_back(std::move(document));
  }
  if (documents.empty()) return complain("report", kBadData, inputs.front() + ": holds no process");
  const auto page = page_of(documents);
  if (out == "-") {
    std::cout << page;
    return kSuccess;
  }
  if (const int error = stats::replace_file(out, page); error != 0)
    return complain("report", kCanNotWrite,
                    fmt::format("{}: can not be written: {}", out, std::strerror(error)));
  return kSuccess;
}

}  // namespace gmlake::tool::html
