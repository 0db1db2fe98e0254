// A JSON value that goes without host memory. nlohmann's takes some in its destructor for what is
// in a list or an object, and where there is none ends the process; so nothing is in it any more
// then.
#pragma once

#include <utility>

#include <nlohmann/json.hpp>

namespace gmlake::config {

class Value : public nlohmann::json {
 public:
  Value() = default;
  Value(nlohmann::json&& value) noexcept : nlohmann::json(std::move(value)) {}
  Value(Value&&) = default;
  Value& operator=(Value&&) = default;
  ~Value() { empty(*this); }

 private:
  static void empty(nlohmann::json& value) {
    if (!value.is_structured()) return;
    for (auto& inside : value) empty(inside);
    value.clear();
  }
};

}  // namespace gmlake::config
