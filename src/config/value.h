// One value of one option: read from JSON or from text (an environment variable), and written back.
//
// Text is what a shell can say: true/false/1/0/on/off/yes/no, numbers, sizes, and lists with
// commas.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "config/option.h"

namespace gmlake::config {

struct Refusal {
  std::string reason;
  std::string remedy;
};

// Sets the option's field, or leaves it and says why. `typed` is how a number was written, where
// that is known: a refusal shows it so, and not as the number nearest to it ("1.0" for "1e0").
std::optional<Refusal> read_json(const Option& option, const nlohmann::json& value, Config& config,
                                 std::string_view typed = {});
std::optional<Refusal> read_text(const Option& option, std::string_view text, Config& config);

// What read_json and read_text give back: sizes as "2MiB", a list as "a,b".
nlohmann::ordered_json write_json(const Option& option, const Config& config);
std::string write_text(const Option& option, const Config& config);

// "a size from 2MiB to 1GiB: ..." : what the option takes, for remedies and for the documentation.
std::string expected(const Option& option);

// The bounds of a size, count or ratio as they are written in a configuration.
std::string write_bound(const Option& option, double bound);

}  // namespace gmlake::config
