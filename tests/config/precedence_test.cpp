// Which layer wins, and that each option can be set by each layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"
#include "config/schema.h"
#include "config/value.h"
#include "temporary_file.h"

namespace gmlake::config {
namespace {

TEST(Precedence, BuiltIn) {
  const auto result = load({});
  EXPECT_TRUE(result.ok()) << describe(result.problems);
  EXPECT_EQ(result.config.pool_chunk_size, 2 * MiB);
  EXPECT_EQ(result.config.processes_include, std::vector<std::string>{"*"});
  EXPECT_EQ(result.config.streams_free, FreePolicy::deferred);
  EXPECT_EQ(result.config.log_level, log::Level::warning);
  EXPECT_THAT(result.origins, testing::Each(Origin::built_in));
}

TEST(Precedence, FileOverBuiltInEnvironmentOverFile) {
  const test::TemporaryFile file(
      R"({"$schema": "x", "// why": ["a", {"b": 1}], "pool": {"chunk_size": 4194304, "max_bytes": "1.5GiB"}})");
  const auto result = load({{"GMLAKE_CONFIG", file.path()}, {"GMLAKE_POOL_MAX_BYTES", "7MiB"}});
  ASSERT_TRUE(result.ok()) << describe(result.problems);
  EXPECT_EQ(result.config.pool_chunk_size, 4 * MiB);
  EXPECT_EQ(result.config.pool_max_bytes, 7 * MiB);
  EXPECT_EQ(result.config.pool_small_limit, 1 * MiB);
  EXPECT_EQ(result.file, file.path());
  EXPECT_EQ(result.origins[find_option("pool", "chunk_size")], Origin::file);
  EXPECT_EQ(result.origins[find_option("pool", "max_bytes")], Origin::environment);
  EXPECT_EQ(result.origins[find_option("pool", "small_limit")], Origin::built_in);
}

TEST(Precedence, TheSystemsFileIsBelowTheUsers) {
  const test::TemporaryFile system(
      R"({"pool": {"chunk_size": "4MiB", "max_bytes": "1GiB", "head_room": "1MiB"}})");
  const test::TemporaryFile user(R"({"pool": {"max_bytes": "2GiB", "head_room": "2MiB"}})");
  const auto result = load({{"GMLAKE_SYSTEM_CONFIG", system.path()},
                            {"GMLAKE_CONFIG", user.path()},
                            {"GMLAKE_POOL_HEAD_ROOM", "3MiB"}});
  ASSERT_TRUE(result.ok()) << describe(result.problems);
  EXPECT_EQ(result.config.pool_chunk_size, 4 * MiB);
  EXPECT_EQ(result.config.pool_max_bytes, 2 * GiB);
  EXPECT_EQ(result.config.pool_head_room, 3 * MiB);
  EXPECT_EQ(result.system_file, system.path());
  EXPECT_EQ(result.origins[find_option("pool", "chunk_size")], Origin::system);
  EXPECT_EQ(result.origins[find_option("pool", "max_bytes")], Origin::file);
}

TEST(Precedence, ARuleIsBrokenByTheLaterFile) {
  const test::TemporaryFile system(R"({"pool": {"small_limit": "8MiB", "chunk_size": "8MiB"}})");
  const test::TemporaryFile user(R"({"pool": {"chunk_size": "4MiB"}})");
  const auto result =
      load({{"GMLAKE_SYSTEM_CONFIG", system.path()}, {"GMLAKE_CONFIG", user.path()}});
  ASSERT_EQ(result.problems.size(), 1U);
  EXPECT_EQ(result.problems[0].source, user.path());
  const auto alone =
      load({{"GMLAKE_SYSTEM_CONFIG", user.path()}, {"GMLAKE_POOL_SMALL_LIMIT", "8MiB"}});
  ASSERT_EQ(alone.problems.size(), 1U);
  EXPECT_EQ(alone.problems[0].source, "GMLAKE_POOL_SMALL_LIMIT");
}

TEST(Precedence, EmptyConfigVariableIsNone) {
  EXPECT_TRUE(load({{"GMLAKE_SYSTEM_CONFIG", ""}}).ok());
  EXPECT_TRUE(load({{"GMLAKE_CONFIG", ""}}).ok());
}

// A value other than the built-in one for each kind, so that a layer that does nothing is noticed.
std::string other_value(const Option& option) {
  switch (option.kind) {
    case Kind::flag:
      return Config{}.*std::get<bool Config::*>(option.member) ? "false" : "true";
    case Kind::size:
      if (option.minimum > 2.0 * MiB) return "6MiB";
      return option.key.ends_with("chunk_size") || option.key == "largest_chunk" ? "4MiB"
                                                                                 : "1536KiB";
    case Kind::count:
      return "77";
    case Kind::ratio:
      return "0.25";
    case Kind::text:
      return "out-%p";
    case Kind::list:
      return "a,b*";
    case Kind::free_policy:
      return "synchronous";
    case Kind::report_kind:
      return "none";
    case Kind::ipc_mode:
      return "native";
    case Kind::tool_policy:
      return "serve";
    case Kind::log_level:
      return "debug";
  }
  return {};
}

TEST(Precedence, EveryOptionHasItsVariableAndItsPlaceInTheFile) {
  for (std::size_t index = 0; index < kOptionCount; ++index) {
    const auto& option = kOptions[index];
    const auto by_variable = load({{option.variable(), other_value(option)}});
    ASSERT_TRUE(by_variable.ok()) << describe(by_variable.problems);
    EXPECT_EQ(write_text(option, by_variable.config), other_value(option)) << option.path();
    EXPECT_NE(write_text(option, by_variable.config), write_text(option, Config{}))
        << option.path();
    EXPECT_EQ(by_variable.origins[index], Origin::environment);

    const test::TemporaryFile file(to_json(by_variable.config));
    const auto by_file = load({{"GMLAKE_CONFIG", file.path()}});
    ASSERT_TRUE(by_file.ok()) << describe(by_file.problems);
    EXPECT_EQ(to_json(by_file.config), to_json(by_variable.config));
    EXPECT_EQ(by_file.origins[index], Origin::file);
  }
}

TEST(Precedence, ABrokenRuleIsBlamedOnTheLayerThatBrokeIt) {
  const test::TemporaryFile file(R"({"pool": {"chunk_size": "4MiB", "small_limit": "4MiB"}})");
  const auto result = load({{"GMLAKE_CONFIG", file.path()}, {"GMLAKE_POOL_CHUNK_SIZE", "2MiB"}});
  ASSERT_EQ(result.problems.size(), 1U);
  EXPECT_EQ(result.problems[0].source, "GMLAKE_POOL_CHUNK_SIZE");
}

}  // namespace
}  // namespace gmlake::config
