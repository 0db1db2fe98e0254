// Writes Python's pickle format: numbers, text, lists, dicts. Protocol 2, which every reader knows.
//
// Who writes opens and closes lists and dicts; in a dict a text as key comes before each value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "trace/out_file.h"

namespace gmlake::trace {

class PickleWriter {
 public:
  explicit PickleWriter(OutFile& out) : out_(out) { out_.buffer() += "\x80\x02"; }

  void begin_list() { out_.buffer() += "]("; }
  void end_list() { end('e'); }
  void begin_dict() { out_.buffer() += "}("; }
  void end_dict() { end('u'); }
  void boolean(bool value) { out_.buffer() += value ? '\x88' : '\x89'; }
  void number(std::uint64_t value);
  // Text that comes again is written once.
  void text(std::string_view value);
  // What was ended last is remembered, and can be shown again.
  std::uint32_t remember();
  void recall(std::uint32_t remembered);
  void finish() { out_.buffer() += '.'; }

  void pair(std::string_view key, std::uint64_t value) {
    text(key);
    number(value);
  }
  void pair(std::string_view key, std::string_view value) {
    text(key);
    text(value);
  }

 private:
  void end(char opcode) {
    out_.buffer() += opcode;
    out_.maybe_flush();
  }
  void little(std::uint64_t value, int bytes);

  OutFile& out_;
  std::uint32_t remembered_ = 0;
  std::unordered_map<std::string, std::uint32_t> texts_;
};

}  // namespace gmlake::trace
