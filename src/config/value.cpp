// Values from JSON, kind by kind, and the reasons for refusing them.
#include "config/value.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "config/pattern.h"

namespace gmlake::config {
namespace {

using nlohmann::json;

// A value as the user wrote it, short enough for a message and whatever bytes it holds.
std::string shown(const json& value) {
  constexpr std::size_t kLongest = 60;
  auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::string_view type_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::boolean:
      return "a flag";
    case json::value_t::string:
      return "text";
    case json::value_t::array:
      return "a list";
    case json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

std::string_view noun(Kind kind) {
  switch (kind) {
    case Kind::flag:
      return "a flag";
    case Kind::size:
      return "a size";
    case Kind::count:
      return "a count";
    case Kind::ratio:
      return "a number";
    case Kind::text:
      return "text";
    case Kind::list:
      return "a list";
    default:
      return "one of the words";
  }
}

Refusal refuse(const Option& option, std::string reason) {
  return {std::move(reason), "give " + expected(option)};
}

Refusal refuse_type(const Option& option, const json& value) {
  const bool structured = value.is_array() || value.is_object() || value.is_null();
  const auto seen = structured ? std::string(type_of(value))
                               : fmt::format("{} ({})", type_of(value), shown(value));
  return refuse(option, fmt::format("is {}, not {}", seen, noun(option.kind)));
}

std::optional<Refusal> check_range(const Option& option, double number, const json& value) {
  if (number >= option.minimum && number <= option.maximum) return {};
  return refuse(option, fmt::format("{} is out of range", shown(value)));
}

// A whole number that is not negative; JSON does not tell 2 from 2.0.
std::optional<Refusal> read_whole(const Option& option, const json& value, std::uint64_t& number) {
  if (!value.is_number()) return refuse_type(option, value);
  if (value.get<double>() < 0) return refuse(option, fmt::format("{} is negative", shown(value)));
  if (value.is_number_float()) {
    const double real = value.get<double>();
    if (real != std::floor(real))
      return refuse(option, fmt::format("{} is a fraction, not a whole number", shown(value)));
    if (auto refusal = check_range(option, real, value)) return refusal;
    number = static_cast<std::uint64_t>(real);
    return {};
  }
  number = value.get<std::uint64_t>();
  return check_range(option, static_cast<double>(number), value);
}

std::optional<Refusal> read_size(const Option& option, const json& value, Bytes& size) {
  if (!value.is_string()) return read_whole(option, value, size);
  const auto& text = value.get_ref<const std::string&>();
  const auto parsed = parse_bytes(text);
  if (!parsed) {
    if (text.starts_with('-')) return refuse(option, shown(value) + " is negative");
    // A share of the device's memory is an option of its own.
    if (text.ends_with('%') && option.path() == "pool.max_bytes")
      return Refusal{shown(value) + " is a share, not a size", "set pool.max_share, 0.9 is 90 %"};
    const auto unit = text.find_first_not_of("0123456789. ");
    if (unit != 0 && unit != std::string::npos)
      return refuse(option, fmt::format("{} has no unit known here ({})", shown(value),
                                        shown(text.substr(unit))));
    return refuse(option, shown(value) + " is not a size");
  }
  size = *parsed;
  return check_range(option, static_cast<double>(size), value);
}

std::optional<Refusal> read_ratio(const Option& option, const json& value, double& ratio) {
  if (!value.is_number()) return refuse_type(option, value);
  ratio = value.get<double>();
  return check_range(option, ratio, value);
}

// Every text option names a file, so every text option is checked as a pattern.
std::optional<Refusal> read_string(const Option& option, const json& value, std::string& text) {
  if (!value.is_string()) return refuse_type(option, value);
  text = value.get<std::string>();
  if (const auto sequence = unknown_sequence(text))
    return refuse(option,
                  fmt::format("{} holds the unknown sequence {}", shown(value), shown(*sequence)));
  return {};
}

std::optional<Refusal> read_list(const Option& option, const json& value,
                                 std::vector<std::string>& list) {
  if (!value.is_array()) return refuse_type(option, value);
  for (const auto& item : value) {
    if (!item.is_string())
      return refuse(option, fmt::format("entry {} is {}, not text", list.size(), type_of(item)));
    list.push_back(item.get<std::string>());
  }
  return {};
}

template <typename Enum>
std::optional<Refusal> read_choice(const Option& option, const json& value, Enum& choice) {
  if (!value.is_string()) return refuse_type(option, value);
  const auto words = choices(option.kind);
  const auto found = std::find(words.begin(), words.end(), value.get_ref<const std::string&>());
  if (found == words.end()) return refuse(option, shown(value) + " is not one of the words");
  choice = static_cast<Enum>(found - words.begin());
  return {};
}

template <typename T>
std::optional<Refusal> read_value(const Option& option, const json& value, T& field) {
  T read{};
  std::optional<Refusal> refusal;
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return refuse_type(option, value);
    read = value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    refusal = option.kind == Kind::size ? read_size(option, value, read)
                                        : read_whole(option, value, read);
  } else if constexpr (std::is_same_v<T, double>) {
    refusal = read_ratio(option, value, read);
  } else if constexpr (std::is_same_v<T, std::string>) {
    refusal = read_string(option, value, read);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    refusal = read_list(option, value, read);
  } else {
    refusal = read_choice(option, value, read);
  }
  if (!refusal) field = std::move(read);
  return refusal;
}

}  // namespace

std::optional<Refusal> read_json(const Option& option, const json& value, Config& config) {
  return std::visit([&](auto member) { return read_value(option, value, config.*member); },
                    option.member);
}

}  // namespace gmlake::config
