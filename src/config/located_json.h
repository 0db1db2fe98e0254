// JSON text as a tree that keeps what a document forgets: where each key stands, and keys given
// twice.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/json_value.h"

namespace gmlake::config {

struct Place {
  std::size_t line = 1;    // from 1
  std::size_t column = 1;  // in bytes, from 1
};

struct Member;

struct Node {
  Value value;                  // an object's is empty: see members; a list's holds its entries
  std::vector<Member> members;  // of an object, in order, repeated keys included
  std::string typed;            // a fraction as it was written: the value is the nearest double
};

struct Member {
  std::string key;
  Place place;  // of the key
  Node node;
};

struct SyntaxError {
  Place place;
  std::string reason;
};

std::variant<Node, SyntaxError> parse_located(const std::string& text);

}  // namespace gmlake::config
