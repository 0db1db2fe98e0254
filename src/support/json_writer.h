// JSON written as text from front to back. It needs host memory for the text alone, and throws
// std::bad_alloc where there is none, as a string does. (A tree of nlohmann's values takes some in
// its destructor as well, and ends the process.)
//
// Who writes puts a name before each value in an object and none in an array. Any bytes may be in a
// string: what is not UTF-8 is replaced. Not thread-safe.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace gmlake {

class JsonWriter {
 public:
  // Levels are indented by so many blanks; 0: all in one line.
  explicit JsonWriter(std::size_t indent) : indent_(indent) {}

  // `fill` writes what is inside.
  template <std::invocable Fill>
  void object(Fill fill) {
    inside('{', '}', fill);
  }
  template <std::invocable Fill>
  void array(Fill fill) {
    inside('[', ']', fill);
  }
  template <std::invocable Fill>
  void object(std::string_view name, Fill fill) {
    this->name(name);
    object(fill);
  }
  template <std::invocable Fill>
  void array(std::string_view name, Fill fill) {
    this->name(name);
    array(fill);
  }

  template <typename Value>
  void member(std::string_view name, const Value& value) {
    this->name(name);
    put(value);
    named_ = false;
  }

  // In an array.
  template <typename Value>
  void element(const Value& value) {
    next();
    put(value);
  }

  std::string take() { return std::move(text_); }

 private:
  template <typename Fill>
  void inside(char open, char close, Fill& fill) {
    if (!named_) next();
    named_ = false;
    text_ += open;
    ++depth_;
    empty_ = true;
    fill();
    --depth_;
    if (!empty_) line();
    text_ += close;
    empty_ = false;
  }
  void name(std::string_view name);
  void next();
  void line();

  void put(std::string_view value);
  void put(const char* value) { put(std::string_view(value)); }
  void put(const std::string& value) { put(std::string_view(value)); }
  void put(bool value);
  void put(double value);
  template <std::integral Number>
  void put(Number value) {
    text_ += std::to_string(value);
  }

  const std::size_t indent_;
  std::string text_;
  std::size_t depth_ = 0;
  bool empty_ = true;   // nothing is inside yet
  bool named_ = false;  // the name of the value to come is written
};

}  // namespace gmlake
