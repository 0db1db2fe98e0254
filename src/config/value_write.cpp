// Values as they are written in a file, in a variable and in messages.
#include <type_traits>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "config/value.h"

namespace gmlake::config {

nlohmann::ordered_json write_json(const Option& option, const Config& config) {
  return std::visit(
      [&](auto member) -> nlohmann::ordered_json {
        const auto& field = config.*member;
        if constexpr (std::is_enum_v<std::decay_t<decltype(field)>>) {
          return choices(option.kind)[static_cast<std::size_t>(field)];
        } else if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::uint64_t>) {
          if (option.kind == Kind::size) return exact_bytes(field);
          return field;
        } else {
          return field;
        }
      },
      option.member);
}

std::string write_text(const Option& option, const Config& config) {
  if (const auto* list = std::get_if<std::vector<std::string> Config::*>(&option.member))
    return fmt::format("{}", fmt::join(config.**list, ","));
  const auto value = write_json(option, config);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string write_bound(const Option& option, double bound) {
  if (option.kind == Kind::size) return exact_bytes(static_cast<Bytes>(bound));
  return fmt::format("{}", bound);
}

std::string expected(const Option& option) {
  const auto range = [&] {
    return fmt::format("from {} to {}", write_bound(option, option.minimum),
                       write_bound(option, option.maximum));
  };
  switch (option.kind) {
    case Kind::flag:
      return "true or false";
    case Kind::size:
      return fmt::format("a size {}, in bytes or with a unit such as \"512MiB\"", range());
    case Kind::count:
      return "a whole number " + range();
    case Kind::ratio:
      return "a number " + range();
    case Kind::text:
      return "text, with %p %h %r %l %e %t and %% as its only % sequences";
    case Kind::list:
      return "a list of texts";
    default:
      return fmt::format("one of: {}", fmt::join(choices(option.kind), ", "));
  }
}

}  // namespace gmlake::config
