// The parser is nlohmann's; its events are gathered here into a tree with places.
#include "config/located_json.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace gmlake::config {
namespace {

using nlohmann::json;

// A configuration is two levels deep; the bound keeps a hostile file from exhausting the stack.
constexpr std::size_t kDeepest = 64;

// Walks the text and leaves its position where the event handler can see it: the parser's own
// events say what was read, not where.
class Cursor {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** shared) : at_(at), shared_(shared) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *shared_ = ++at_;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** shared_;
};

class Builder final : public nlohmann::json_sax<json> {
 public:
  explicit Builder(const std::string& text) : text_(text), position_(text.data()) {}

  std::variant<Node, SyntaxError> build() {
    const char* end = text_.data() + text_.size();
    if (json::sax_parse(Cursor(text_.data(), &position_), Cursor(end, &position_), this))
      return std::move(root_);
    return std::move(error_);
  }

  bool null() override { return add({json(nullptr), {}, {}}); }
  bool boolean(bool value) override { return add({json(value), {}, {}}); }
  bool number_integer(number_integer_t value) override { return add({json(value), {}, {}}); }
  bool number_unsigned(number_unsigned_t value) override { return add({json(value), {}, {}}); }
  bool number_float(number_float_t value, const string_t& typed) override {
    return add({json(value), {}, typed});
  }
  bool string(string_t& value) override { return add({json(std::move(value)), {}, {}}); }
  bool binary(binary_t&) override { return false; }  // does not occur in text

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    // The cursor stands behind the closing quote; the key may have been written with escapes, so
    // its start is looked for in the text: the last quote before that is not escaped.
    const char* start = position_ - 1;
    do --start;
    while (start > text_.data() && (*start != '"' || start[-1] == '\\'));
    open_.back().key = std::move(name);
    open_.back().place = place(start);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const json::exception& error) override {
    // what() is "[json.exception.parse_error.101] parse error at line 3, column 5: syntax error
    // ..."
    std::string reason = error.what();
    if (const auto colon = reason.find(": "); colon != std::string::npos)
      reason.erase(0, colon + 2);
    const auto offset = std::min(position == 0 ? 0 : position - 1, text_.size());
    error_ = {place(text_.data() + offset), std::move(reason)};
    return false;
  }

 private:
  struct Open {
    Node node;
    std::string key;  // the one whose value comes next
    Place place;
  };

  bool open(json empty) {
    if (open_.size() == kDeepest) {
      error_ = {place(position_), "is nested too deeply"};
      return false;
    }
    open_.push_back({{std::move(empty), {}, {}}, {}, {}});
    return true;
  }

  bool close() {
    Node done = std::move(open_.back().node);
    open_.pop_back();
    return add(std::move(done));
  }

  bool add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (auto& parent = open_.back(); parent.node.value.is_array()) {
      parent.node.value.push_back(std::move(node.value));
    } else {
      parent.node.members.push_back({std::move(parent.key), parent.place, std::move(node)});
    }
    return true;
  }

  // Counted on from the place before, which is hardly ever behind: else all places together would
  // take the square of the text's length.
  Place place(const char* at) {
    if (at < counted_) {
      counted_ = line_start_ = text_.data();
      line_ = 1;
    }
    for (; counted_ < at; ++counted_)
      if (*counted_ == '\n') {
        ++line_;
        line_start_ = counted_ + 1;
      }
    return {line_, static_cast<std::size_t>(at - line_start_) + 1};
  }

  const std::string& text_;
  const char* position_;
  const char* counted_ = text_.data();  // so far, for place()
  const char* line_start_ = text_.data();
  std::size_t line_ = 1;
  std::vector<Open> open_;
  Node root_;
  SyntaxError error_;
};

}  // namespace

std::variant<Node, SyntaxError> parse_located(const std::string& text) {
  return Builder(text).build();
}

}  // namespace gmlake::config
