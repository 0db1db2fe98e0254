// Reads the data subset of Python's pickle format (protocols 2 to 5): numbers, text, lists, tuples,
// dicts.
//
// Nothing is ever executed: an opcode that names code (GLOBAL, REDUCE, ...) is refused. Values live
// in one table and refer to each other by number, so that neither deep nor self-referring input
// costs stack.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trace/trace.h"

namespace gmlake::trace {

class Pickle {
 public:
  enum class Type : std::uint8_t { none, boolean, integer, real, text, list, tuple, dict, other };

  // One value of the document; cheap to copy, valid as long as the Pickle. A lookup in what is no
  // container of that kind, or that has no such item, gives an empty Value, so look-ups can be
  // chained.
  class Value {
   public:
    Value() = default;
    explicit operator bool() const { return pickle_ != nullptr; }
    Type type() const;
    bool is(Type wanted) const { return pickle_ && type() == wanted; }
    std::size_t size() const;                   // items of a list, tuple or dict, else 0
    Value operator[](std::size_t index) const;  // item of a list or tuple
    // Of a dict's first kMostKeys keys: an event has a dozen. A file may show one dict of a million
    // a million times.
    Value operator[](std::string_view key) const;
    static constexpr std::size_t kMostKeys = 64;
    std::optional<std::int64_t> integer() const;
    std::string_view text() const;  // empty if it is none
    // The same for a value that the document shows in several places.
    std::uint32_t number() const { return index_; }

   private:
    friend class Pickle;
    Value(const Pickle* pickle, std::uint32_t index) : pickle_(pickle), index_(index) {}
    const Pickle* pickle_ = nullptr;
    std::uint32_t index_ = 0;
  };

  // `bytes` must outlive the result: text is not copied. The error names the opcode and its offset.
  static Expected<Pickle> parse(std::string_view bytes);
  Value root() const { return {this, root_}; }

 private:
  friend class PickleMachine;
  struct Cell {
    Type type = Type::none;
    std::uint64_t payload = 0;  // integer's bits, length of text, number of container
    const char* text = nullptr;
  };
  std::vector<Cell> cells_;
  std::vector<std::vector<std::uint32_t>> containers_;  // a dict holds key, value, key, value
  std::uint32_t root_ = 0;
};

}  // namespace gmlake::trace
