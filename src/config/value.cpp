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

// A value, and how it was written if it is a number and that is known.
struct Given {
  const json& value;
  std::string_view typed;
};

std::string shortened(std::string text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

// A value as the user wrote it, short enough for a message and whatever bytes it holds.
std::string shown(const json& value) {
  return shortened(value.dump(-1, ' ', false, json::error_handler_t::replace));
}
std::string shown(const Given& given) {
  return given.value.is_number() && !given.typed.empty() ? shortened(std::string(given.typed))
                                                         : shown(given.value);
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

Refusal refuse_type(const Option& option, const Given& given) {
  const bool structured =
      given.value.is_array() || given.value.is_object() || given.value.is_null();
  const auto seen = structured ? std::string(type_of(given.value))
                               : fmt::format("{} ({})", type_of(given.value), shown(given));
  return refuse(option, fmt::format("is {}, not {}", seen, noun(option.kind)));
}

std::optional<Refusal> check_range(const Option& option, double number, const Given& given) {
  if (number >= option.minimum && number <= option.maximum) return {};
  return refuse(option, fmt::format("{} is out of range", shown(given)));
}

// A whole number that is not negative; JSON does not tell 2 from 2.0.
std::optional<Refusal> read_whole(const Option& option, const Given& given, std::uint64_t& number) {
  if (!given.value.is_number()) return refuse_type(option, given);
  if (given.value.get<double>() < 0)
    return refuse(option, fmt::format("{} is negative", shown(given)));
  if (given.value.is_number_float()) {
    const double real = given.value.get<double>();
    if (real != std::floor(real))
      return refuse(option, fmt::format("{} is a fraction, not a whole number", shown(given)));
    if (auto refusal = check_range(option, real, given)) return refusal;
    number = static_cast<std::uint64_t>(real);
    return {};
  }
  number = given.value.get<std::uint64_t>();
  return check_range(option, static_cast<double>(number), given);
}

std::optional<Refusal> read_size(const Option& option, const Given& given, Bytes& size) {
  if (!given.value.is_string()) return read_whole(option, given, size);
  const auto& text = given.value.get_ref<const std::string&>();
  const auto parsed = parse_bytes(text);
  if (!parsed) {
    if (text.starts_with('-')) return refuse(option, shown(given) + " is negative");
    // A share of the device's memory is an option of its own.
    if (text.ends_with('%') && option.path() == "pool.max_bytes")
      return Refusal{shown(given) + " is a share, not a size", "set pool.max_share, 0.9 is 90 %"};
    const auto unit = text.find_first_not_of("0123456789. ");
    if (unit != 0 && unit != std::string::npos)
      return refuse(option, fmt::format("{} has no unit known here ({})", shown(given),
                                        shown(text.substr(unit))));
    return refuse(option, shown(given) + " is not a size");
  }
  size = *parsed;
  return check_range(option, static_cast<double>(size), given);
}

std::optional<Refusal> read_ratio(const Option& option, const Given& given, double& ratio) {
  if (!given.value.is_number()) return refuse_type(option, given);
  ratio = given.value.get<double>();
  return check_range(option, ratio, given);
}

// Every text option names a file, so every text option is checked as a pattern.
std::optional<Refusal> read_string(const Option& option, const Given& given, std::string& text) {
  if (!given.value.is_string()) return refuse_type(option, given);
  text = given.value.get<std::string>();
  if (const auto sequence = unknown_sequence(text))
    return refuse(option,
                  fmt::format("{} holds the unknown sequence {}", shown(given), shown(*sequence)));
  return {};
}

std::optional<Refusal> read_list(const Option& option, const Given& given,
                                 std::vector<std::string>& list) {
  if (!given.value.is_array()) return refuse_type(option, given);
  for (const auto& item : given.value) {
    if (!item.is_string())
      return refuse(option, fmt::format("entry {} is {}, not text", list.size(), type_of(item)));
    list.push_back(item.get<std::string>());
  }
  return {};
}

template <typename Enum>
std::optional<Refusal> read_choice(const Option& option, const Given& given, Enum& choice) {
  if (!given.value.is_string()) return refuse_type(option, given);
  const auto words = choices(option.kind);
  const auto word = meant(option.kind, given.value.get_ref<const std::string&>());
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return refuse(option, shown(given) + " is not one of the words");
  choice = static_cast<Enum>(found - words.begin());
  return {};
}

template <typename T>
std::optional<Refusal> read_value(const Option& option, const Given& given, T& field) {
  T read{};
  std::optional<Refusal> refusal;
  if constexpr (std::is_same_v<T, bool>) {
    if (!given.value.is_boolean()) return refuse_type(option, given);
    read = given.value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    refusal = option.kind == Kind::size ? read_size(option, given, read)
                                        : read_whole(option, given, read);
  } else if constexpr (std::is_same_v<T, double>) {
    refusal = read_ratio(option, given, read);
  } else if constexpr (std::is_same_v<T, std::string>) {
    refusal = read_string(option, given, read);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    refusal = read_list(option, given, read);
  } else {
    refusal = read_choice(option, given, read);
  }
  if (!refusal) field = std::move(read);
  return refusal;
}

}  // namespace

std::optional<Refusal> read_json(const Option& option, const json& value, Config& config,
                                 std::string_view typed) {
  const Given given{value, typed};
  return std::visit([&](auto member) { return read_value(option, given, config.*member); },
                    option.member);
}

}  // namespace gmlake::config
