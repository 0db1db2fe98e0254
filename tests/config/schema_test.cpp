// The schema, by another's validator, accepts what the reader accepts and refuses what it refuses.
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "config/load.h"
#include "config/schema.h"
#include "temporary_file.h"

namespace gmlake::config {
namespace {

bool schema_accepts(const std::string& text) {
  using Adapter = valijson::adapters::NlohmannJsonAdapter;
  const auto described = nlohmann::json::parse(schema());
  valijson::Schema parsed;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7)
      .populateSchema(Adapter(described), parsed);
  const auto document = nlohmann::json::parse(text);
  valijson::Validator validator;
  return validator.validate(parsed, Adapter(document), nullptr);
}

bool reader_accepts(const std::string& text) {
  const test::TemporaryFile file(text);
  return load({{"GMLAKE_CONFIG", file.path()}}).ok();
}

struct Case {
  const char* text;
  bool accepted;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.text;
}

class Agreement : public testing::TestWithParam<Case> {};

TEST_P(Agreement, OfSchemaAndReader) {
  EXPECT_EQ(schema_accepts(GetParam().text), GetParam().accepted);
  EXPECT_EQ(reader_accepts(GetParam().text), GetParam().accepted);
}

const Case kCases[] = {
    {"{}", true},
    {R"({"$schema": "gmlake.schema.json", "// note": {"any": ["thing"]}})", true},
    {R"({"pool": {}})", true},
    {R"({"pool": {"chunk_size": 4194304}})", true},
    {R"({"pool": {"chunk_size": "4MiB"}})", true},
    {R"({"pool": {"max_bytes": "1.5 GiB"}})", true},
    {R"({"pool": {"max_bytes": "10GB"}})", true},
    {R"({"pool": {"max_bytes": "4096B"}})", true},
    {R"({"pool": {"max_bytes": "4096"}})", true},
    {R"({"pool": {"max_bytes": "64G"}})", true},
    {R"({"pool": {"max_bytes": "1.5t"}})", true},
    {R"({"stitch": {"growth_slack": 0}})", true},
    {R"({"stitch": {"growth_slack": 0.5, "max_windows": 0}})", true},
    {R"({"stitch": {"growth_slack": 1, "max_windows": 1000000}})", true},
    {R"({"streams": {"free": "synchronous"}})", true},
    {R"({"stats": {"file": "%h/%e-%p-%r-%l-%t-%%.txt", "report": "none"}})", true},
    {R"({"stats": {"report": "off"}})", true},
    {R"({"processes": {"include": [], "exclude": ["a", "b*"]}})", true},
    {"[]", false},
    {"3", false},
    {R"({"nothing": {}})", false},
    {R"({"note": "x"})", false},
    {R"({"pool": 1})", false},
    {R"({"pool": []})", false},
    {R"({"pool": {"chunk": 1}})", false},
    {R"({"pool": {"//": 1}})", false},
    {R"({"pool": {"enabled": 1}})", false},
    {R"({"pool": {"enabled": "true"}})", false},
    {R"({"pool": {"enabled": null}})", false},
    {R"({"pool": {"chunk_size": 1}})", false},
    {R"({"pool": {"chunk_size": 2147483648}})", false},
    {R"({"pool": {"max_bytes": -1}})", false},
    {R"({"pool": {"max_bytes": 1.5}})", false},
    {R"({"pool": {"max_bytes": "-1"}})", false},
    {R"({"pool": {"max_bytes": "1.5"}})", false},
    {R"({"pool": {"max_bytes": "1.5B"}})", false},
    {R"({"pool": {"max_bytes": "1.G"}})", false},
    {R"({"pool": {"max_bytes": ".5G"}})", false},
    {R"({"pool": {"max_bytes": "64g b"}})", false},
    {R"({"pool": {"max_bytes": "1Mib"}})", false},
    {R"({"pool": {"max_bytes": ""}})", false},
    {R"({"pool": {"max_bytes": true}})", false},
    {R"({"stitch": {"growth_slack": 1.01}})", false},
    {R"({"stitch": {"growth_slack": "0.5"}})", false},
    {R"({"stitch": {"max_windows": 1000001}})", false},
    {R"({"stitch": {"max_windows": 2.5}})", false},
    {R"({"streams": {"free": "later"}})", false},
    {R"({"streams": {"free": 1}})", false},
    {R"({"stats": {"file": "%q"}})", false},
    {R"({"stats": {"file": "x%"}})", false},
    {R"({"stats": {"file": 1}})", false},
    {R"({"processes": {"include": "*"}})", false},
    {R"({"processes": {"include": [1]}})", false},
    {R"({"log": {"level": "Debug"}})", false},
};

INSTANTIATE_TEST_SUITE_P(All, Agreement, testing::ValuesIn(kCases));

TEST(Schema, AcceptsTheDefaultFile) {
  EXPECT_TRUE(schema_accepts(
      test::read_whole(std::filesystem::path(GMLAKE_SOURCE_DIR) / "config/default.json")));
}

// Every option's own default has the form its schema asks for, and a wrong type is refused for
// every option.
TEST(Schema, KnowsEveryOption) {
  for (const auto& option : kOptions) {
    const auto with = [&](const nlohmann::json& value) {
      return nlohmann::json{{option.section, {{option.key, value}}}}.dump();
    };
    const auto defaults = nlohmann::json::parse(to_json(Config{}));
    EXPECT_TRUE(
        schema_accepts(with(defaults[std::string(option.section)][std::string(option.key)])));
    EXPECT_FALSE(schema_accepts(with(nullptr))) << option.path();
    EXPECT_FALSE(schema_accepts(with(nlohmann::json::object()))) << option.path();
  }
}

}  // namespace
}  // namespace gmlake::config
