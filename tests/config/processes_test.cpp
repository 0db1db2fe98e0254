// Which executables the patterns of the processes section serve.
#include "config/processes.h"

#include <gtest/gtest.h>

namespace gmlake::config {
namespace {

Config with(std::vector<std::string> include, std::vector<std::string> exclude) {
  Config config;
  config.processes_include = std::move(include);
  config.processes_exclude = std::move(exclude);
  return config;
}

TEST(Processes, AllByDefault) {
  EXPECT_TRUE(serves(Config{}, "train"));
  EXPECT_TRUE(serves(Config{}, ""));
}

TEST(Processes, OnlyTheIncluded) {
  const auto config = with({"python3*", "train?"}, {});
  EXPECT_TRUE(serves(config, "python3.11"));
  EXPECT_TRUE(serves(config, "train1"));
  EXPECT_FALSE(serves(config, "train"));
  EXPECT_FALSE(serves(config, "train12"));
  EXPECT_FALSE(serves(config, "mypython3"));
}

TEST(Processes, ExcludeWins) {
  const auto config = with({"*"}, {"nvcc", "cc*"});
  EXPECT_TRUE(serves(config, "train"));
  EXPECT_FALSE(serves(config, "nvcc"));
  EXPECT_FALSE(serves(config, "cc1plus"));
}

TEST(Processes, NoneIncludedNoneServed) {
  EXPECT_FALSE(serves(with({}, {}), "train"));
}

TEST(Processes, TheNameIsAsLongAsItsView) {
  EXPECT_TRUE(serves(with({"train"}, {}), std::string_view("training").substr(0, 5)));
}

}  // namespace
}  // namespace gmlake::config
