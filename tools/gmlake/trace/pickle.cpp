// A pickle is a program for a small stack machine; this is that machine without its dangerous half.
#include "trace/pickle.h"

#include <array>
#include <limits>

#include <spdlog/fmt/fmt.h>

namespace gmlake::trace {
namespace {

// What a file may make of memory, however few bytes it has: gzip packs a thousand equal opcodes
// into one. A snapshot of some million events is far below each.
constexpr std::size_t kMostMarks = 1000;  // nesting of unfinished containers
constexpr std::size_t kMostCells = std::size_t{1} << 25;
constexpr std::size_t kMostItems = std::size_t{1} << 26;  // of all containers together
constexpr std::size_t kMostStack = std::size_t{1} << 20;  // Python writes lists in thousands
constexpr const char* kTooMuch = "more values than a snapshot can sensibly hold";

// What a pickle may hold that this reader refuses, by name, so that the message says more than a
// number.
struct Named {
  unsigned char code;
  const char* name;
};
constexpr std::array<Named, 28> kRefused{
    {{'c', "GLOBAL"},      {0x93, "STACK_GLOBAL"}, {'R', "REDUCE"},
     {'b', "BUILD"},       {'i', "INST"},          {'o', "OBJ"},
     {0x81, "NEWOBJ"},     {0x92, "NEWOBJ_EX"},    {0x82, "EXT1"},
     {0x83, "EXT2"},       {0x84, "EXT4"},         {'P', "PERSID"},
     {'Q', "BINPERSID"},   {0x97, "NEXT_BUFFER"},  {0x98, "READONLY_BUFFER"},
     {0x8f, "EMPTY_SET"},  {0x90, "ADDITEMS"},     {0x91, "FROZENSET"},
     {0x96, "BYTEARRAY8"}, {'I', "INT"},           {'L', "LONG"},
     {'F', "FLOAT"},       {'S', "STRING"},        {'V', "UNICODE"},
     {'g', "GET"},         {'p', "PUT"},           {'2', "DUP"},
     {'0', "POP"}}};

}  // namespace

class PickleMachine {
 public:
  explicit PickleMachine(std::string_view bytes) : bytes_(bytes) {}
  Expected<Pickle> run();

 private:
  using Type = Pickle::Type;
  using Index = std::uint32_t;

  // Each step returns the problem, or nothing. The empty text stands for "no problem" throughout.
  std::string step(unsigned char code);
  bool take(std::size_t count, std::string_view& out);
  bool number(std::size_t width, std::uint64_t& out);  // little-endian, unsigned
  std::string push(Type type, std::uint64_t payload, const char* text = nullptr);
  std::string push_sized(Type type, std::size_t width);
  std::string push_signed(std::size_t count);
  std::string push_real();
  std::string push_container(Type type, std::size_t from);
  std::string from_mark(std::size_t& start);
  std::string extend(Type type, std::size_t from);
  std::string remember(std::uint64_t slot);
  std::string recall(std::uint64_t slot);

  bool count_items(std::size_t more) { return (items_ += more) <= kMostItems; }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t items_ = 0;
  Pickle pickle_;
  std::vector<Index> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Index> memo_;
  static constexpr Index kNothing = std::numeric_limits<Index>::max();
};

bool PickleMachine::take(std::size_t count, std::string_view& out) {
  if (bytes_.size() - at_ < count) return false;
  out = bytes_.substr(at_, count);
  at_ += count;
  return true;
}

bool PickleMachine::number(std::size_t width, std::uint64_t& out) {
  std::string_view raw;
  if (!take(width, raw)) return false;
  out = 0;
  for (std::size_t i = width; i-- > 0;) out = out << 8 | static_cast<unsigned char>(raw[i]);
  return true;
}

std::string PickleMachine::push(Type type, std::uint64_t payload, const char* text) {
  if (pickle_.cells_.size() >= kMostCells || stack_.size() >= kMostStack) return kTooMuch;
  stack_.push_back(static_cast<Index>(pickle_.cells_.size()));
  pickle_.cells_.push_back({type, payload, text});
  return {};
}

std::string PickleMachine::push_sized(Type type, std::size_t width) {
  std::uint64_t length = 0;
  std::string_view text;
  if (!number(width, length) || !take(length, text)) return "the file ends here";
  return push(type, text.size(), text.data());
}

std::string PickleMachine::push_signed(std::size_t count) {
  std::string_view raw;
  if (!take(count, raw)) return "the file ends here";
  if (count > sizeof(std::uint64_t)) return push(Type::other, 0);
  const bool negative = count > 0 && (static_cast<unsigned char>(raw.back()) & 0x80U) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(raw[i]);
  return push(Type::integer, value);
}

// The values of real numbers are of no use here: their presence is all that is kept.
std::string PickleMachine::push_real() {
  std::string_view raw;
  return take(8, raw) ? push(Type::real, 0) : "the file ends here";
}

std::string PickleMachine::push_container(Type type, std::size_t from) {
  if (from > stack_.size()) return "too few values before it";
  if (type == Type::dict && (stack_.size() - from) % 2 != 0) return "a key without a value";
  if (!count_items(stack_.size() - from)) return kTooMuch;
  pickle_.containers_.emplace_back(stack_.begin() + static_cast<std::ptrdiff_t>(from),
                                   stack_.end());
  stack_.resize(from);
  return push(type, pickle_.containers_.size() - 1);
}

std::string PickleMachine::from_mark(std::size_t& start) {
  if (marks_.empty()) return "no MARK before it";
  start = marks_.back();
  marks_.pop_back();
  return start <= stack_.size() ? std::string() : "its MARK is lost";
}

// Moves the values from `from` on into the list or dict below them.
std::string PickleMachine::extend(Type type, std::size_t from) {
  if (from == 0 || from > stack_.size()) return "too few values before it";
  if (!marks_.empty() && from <= marks_.back()) return "reaches below a MARK";
  const auto& target = pickle_.cells_[stack_[from - 1]];
  if (target.type != type) return "what it should extend is no container of that kind";
  if (type == Type::dict && (stack_.size() - from) % 2 != 0) return "a key without a value";
  if (!count_items(stack_.size() - from)) return kTooMuch;
  auto& items = pickle_.containers_[target.payload];
  items.insert(items.end(), stack_.begin() + static_cast<std::ptrdiff_t>(from), stack_.end());
  stack_.resize(from);
  return {};
}

std::string PickleMachine::remember(std::uint64_t slot) {
  if (stack_.empty()) return "nothing to remember";
  if (slot > bytes_.size() || slot > kMostCells) return "a memo number larger than the file";
  if (slot >= memo_.size()) memo_.resize(slot + 1, kNothing);
  memo_[slot] = stack_.back();
  return {};
}

std::string PickleMachine::recall(std::uint64_t slot) {
  if (slot >= memo_.size() || memo_[slot] == kNothing) return "recalls what was never remembered";
  if (stack_.size() >= kMostStack) return kTooMuch;
  stack_.push_back(memo_[slot]);
  return {};
}

std::string PickleMachine::step(unsigned char code) {
  std::uint64_t n = 0;
  std::size_t start = 0;
  std::string problem;
  const auto marked = [&](auto then) {
    problem = from_mark(start);
    return problem.empty() ? then() : problem;
  };
  const auto numbered = [&](std::size_t width, auto then) {
    return number(width, n) ? then() : std::string("the file ends here");
  };
  const auto below = [&](std::size_t count) {
    return count > stack_.size() ? std::numeric_limits<std::size_t>::max() : stack_.size() - count;
  };
  // One opcode a line.
  // clang-format off
  switch (code) {
    case 0x80:
      return numbered(1, [&] {
        return n < 2 || n > 5 ? fmt::format("protocol {}, this reader knows 2 to 5", n)
                              : std::string();
      });
    case 0x95:
      return numbered(8, [&]() -> std::string {
        return n > bytes_.size() - at_ ? "its frame is longer than the file" : "";
      });
    case '(':
      if (marks_.size() >= kMostMarks) return "nested too deeply";
      marks_.push_back(stack_.size());
      return {};
    case 'N': return push(Type::none, 0);
    case 0x88: return push(Type::boolean, 1);
    case 0x89: return push(Type::boolean, 0);
    case 'J': return push_signed(4);
    case 'K': return numbered(1, [&] { return push(Type::integer, n); });
    case 'M': return numbered(2, [&] { return push(Type::integer, n); });
    case 0x8a: return numbered(1, [&] { return push_signed(n); });
    case 0x8b: return numbered(4, [&] { return push_signed(n); });
    case 'G': return push_real();
    case 0x8c: return push_sized(Type::text, 1);
    case 'X': return push_sized(Type::text, 4);
    case 0x8d: return push_sized(Type::text, 8);
    case 'U':
    case 'C': return push_sized(Type::other, 1);
    case 'T':
    case 'B': return push_sized(Type::other, 4);
    case 0x8e: return push_sized(Type::other, 8);
    case ']': return push_container(Type::list, stack_.size());
    case '}': return push_container(Type::dict, stack_.size());
    case ')': return push_container(Type::tuple, stack_.size());
    case 0x85: return push_container(Type::tuple, below(1));
    case 0x86: return push_container(Type::tuple, below(2));
    case 0x87: return push_container(Type::tuple, below(3));
    case 't': return marked([&] { return push_container(Type::tuple, start); });
    case 'l': return marked([&] { return push_container(Type::list, start); });
    case 'd': return marked([&] { return push_container(Type::dict, start); });
    case 'a': return extend(Type::list, below(1));
    case 's': return extend(Type::dict, below(2));
    case 'e': return marked([&] { return extend(Type::list, start); });
    case 'u': return marked([&] { return extend(Type::dict, start); });
    case 0x94: return remember(memo_.size());
    case 'q': return numbered(1, [&] { return remember(n); });
    case 'r': return numbered(4, [&] { return remember(n); });
    case 'h': return numbered(1, [&] { return recall(n); });
    case 'j': return numbered(4, [&] { return recall(n); });
    default:
      for (const auto& refused : kRefused)
        if (refused.code == code)
          return fmt::format("opcode {} is not part of a memory snapshot and is never executed",
                             refused.name);
      return "unknown opcode";
  }
  // clang-format on
}

Expected<Pickle> PickleMachine::run() {
  const auto broken = [](std::size_t offset, unsigned char code, const std::string& reason) {
    return tl::unexpected(fmt::format(
        "not a readable memory snapshot: at byte {} (opcode {:#04x}): {}; write it with "
        "torch.cuda.memory._dump_snapshot(path)",
        offset, static_cast<unsigned>(code), reason));
  };
  while (at_ < bytes_.size()) {
    const auto offset = at_;
    const auto code = static_cast<unsigned char>(bytes_[at_++]);
    if (code == '.') {
      if (stack_.size() != 1 || !marks_.empty())
        return broken(offset, code, "the pickle is incomplete");
      pickle_.root_ = stack_.front();
      return std::move(pickle_);
    }
    if (auto problem = step(code); !problem.empty()) return broken(offset, code, problem);
  }
  return tl::unexpected(
      fmt::format("not a readable memory snapshot: ends at byte {} without the opcode STOP; the "
                  "file is cut, copy it again",
                  bytes_.size()));
}

Expected<Pickle> Pickle::parse(std::string_view bytes) {
  return PickleMachine(bytes).run();
}

}  // namespace gmlake::trace
