// The files generated from the table are current. After a change of the table:
//
//   gmlake config show --defaults > config/default.json
//   gmlake config schema > config/gmlake.schema.json
//   gmlake config show --markdown       (between the marks in docs/configuration.md)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"
#include "config/schema.h"
#include "temporary_file.h"

namespace gmlake::config {
namespace {

const std::filesystem::path kSource = GMLAKE_SOURCE_DIR;

TEST(Generated, DefaultFile) {
  EXPECT_EQ(test::read_whole(kSource / "config/default.json"), to_json(Config{}));
}

TEST(Generated, DefaultFileGivesTheBuiltInValues) {
  const auto result = load({{"GMLAKE_CONFIG", (kSource / "config/default.json").string()}});
  EXPECT_TRUE(result.ok()) << describe(result.problems);
  EXPECT_THAT(result.origins, testing::Each(Origin::file));
  EXPECT_EQ(to_json(result.config), to_json(Config{}));
}

TEST(Generated, Schema) {
  EXPECT_EQ(test::read_whole(kSource / "config/gmlake.schema.json"), schema());
}

TEST(Generated, DocumentedTable) {
  const auto page = test::read_whole(kSource / "docs/configuration.md");
  EXPECT_THAT(page,
              testing::HasSubstr("<!-- options -->\n" + to_markdown() + "<!-- /options -->\n"));
}

}  // namespace
}  // namespace gmlake::config
