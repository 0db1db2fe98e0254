// One function for each thing generated from the option table.
#include "config/schema.h"

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

#include "config/option.h"
#include "config/value.h"

namespace gmlake::config {
namespace {

using Json = nlohmann::ordered_json;

// What parse_bytes takes; only a fraction needs a unit above the byte.
constexpr const char* kSizePattern =
    "^([0-9]+ *(TiB|GiB|MiB|KiB|TB|GB|MB|kB|KB|B|[TGMKtgmk])?"
    "|[0-9]+\\.[0-9]+ *(TiB|GiB|MiB|KiB|TB|GB|MB|kB|KB|[TGMKtgmk]))$";
constexpr const char* kFilePattern = "^([^%]|%[phrlet%])*$";

Json whole_number(const Option& option) {
  return {{"type", "integer"},
          {"minimum", static_cast<std::uint64_t>(option.minimum)},
          {"maximum", static_cast<std::uint64_t>(option.maximum)}};
}

Json type_of(const Option& option) {
  switch (option.kind) {
    case Kind::flag:
      return {{"type", "boolean"}};
    case Kind::size:
      return {{"anyOf", Json::array({whole_number(option),
                                     {{"type", "string"}, {"pattern", kSizePattern}}})}};
    case Kind::count:
      return whole_number(option);
    case Kind::ratio:
      return {{"type", "number"}, {"minimum", option.minimum}, {"maximum", option.maximum}};
    case Kind::text:
      return {{"type", "string"}, {"pattern", kFilePattern}};
    case Kind::list:
      return {{"type", "array"}, {"items", {{"type", "string"}}}};
    default: {
      const auto words = choices(option.kind);
      std::vector<std::string> known(words.begin(), words.end());
      for (const auto& synonym : kSynonyms)
        if (synonym.kind == option.kind) known.emplace_back(synonym.word);
      return {{"enum", known}};
    }
  }
}

Json describe_option(const Option& option) {
  Json described = {{"description", option.help}};
  described.update(type_of(option));
  described["default"] = write_json(option, Config{});
  return described;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// A bar would end the table's cell.
std::string in_table(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

}  // namespace

std::string schema() {
  Json properties = {
      {"$schema", {{"description", "this schema, for editors"}, {"type", "string"}}}};
  for (const auto section : sections())
    properties[std::string(section)] = {
        {"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
  for (const auto& option : kOptions)
    properties[std::string(option.section)]["properties"][std::string(option.key)] =
        describe_option(option);
  return dump({{"$schema", "http://json-schema.org/draft-07/schema#"},
               {"title", "gmlake configuration"},
               {"description", "Keys that begin with \"//\" at the top are notes and are ignored."},
               {"type", "object"},
               {"additionalProperties", false},
               {"patternProperties", {{"^//", Json::object()}}},
               {"properties", properties}});
}

std::string to_json(const Config& config) {
  Json json = Json::object();
  for (const auto& option : kOptions)
    json[std::string(option.section)][std::string(option.key)] = write_json(option, config);
  return dump(json);
}

std::string to_markdown() {
  std::string table =
      "| option | takes | default | what it does |\n"
      "| --- | --- | --- | --- |\n";
  const Config built_in;
  for (const auto& option : kOptions)
    table += fmt::format("| `{}` | {} | `{}` | {} |\n", option.path(), in_table(expected(option)),
                         write_json(option, built_in).dump(), in_table(option.help));
  return table;
}

}  // namespace gmlake::config
