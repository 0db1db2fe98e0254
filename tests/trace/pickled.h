// Writes pickles opcode by opcode, so that tests decide every byte of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gmlake::trace {

class Pickled {
 public:
  explicit Pickled(int protocol = 4) : bytes_{'\x80', static_cast<char>(protocol)} {}

  Pickled& op(std::string_view opcodes) {
    bytes_ += opcodes;
    return *this;
  }
  Pickled& text(std::string_view value) {
    bytes_ += '\x8c';
    bytes_ += static_cast<char>(value.size());
    bytes_ += value;
    return *this;
  }
  Pickled& number(std::uint64_t value) {
    bytes_ += "\x8a\x08";
    for (int i = 0; i < 8; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  // One event of a device's trace, as a finished dict on the stack.
  Pickled& event(std::string_view action, std::uint64_t address, std::uint64_t size,
                 std::uint64_t stream = 0, std::uint64_t time = 0) {
    return op("}(")
        .text("action")
        .text(action)
        .text("addr")
        .number(address)
        .text("size")
        .number(size)
        .text("stream")
        .number(stream)
        .text("time_us")
        .number(time)
        .op("u");
  }
  Pickled& block(std::uint64_t address, std::uint64_t size, std::string_view state) {
    return op("}(")
        .text("address")
        .number(address)
        .text("size")
        .number(size + 100)
        .text("requested_size")
        .number(size)
        .text("state")
        .text(state)
        .op("u");
  }
  // The opcodes alone, to be put into another pickle.
  std::string inner() const { return bytes_.substr(2); }
  std::string stop() const { return bytes_ + '.'; }

 private:
  std::string bytes_;
};

// {'segments': [one segment of `device` with `blocks`], 'device_traces': [one list for each of
// `traces`]}
inline std::string snapshot(const std::string& blocks, const std::vector<std::string>& traces,
                            std::uint64_t device = 0) {
  Pickled out;
  out.op("}").text("segments").op("]}(").text("device").number(device).text("stream").number(0);
  out.text("address").number(0x1000).text("blocks").op("](").op(blocks).op("eua").op("s");
  out.text("device_traces").op("](");
  for (const auto& events : traces) out.op("](").op(events).op("e");
  return out.op("es").stop();
}

}  // namespace gmlake::trace
