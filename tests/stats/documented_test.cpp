// docs/statistics.md has every counter and driver call, in the words of the list. After a change of
// the list, put what this test prints as expected between the page's marks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "stats/counters.h"
#include "stats/unproved.h"

namespace {

std::string counter_table() {
  std::string table = "| counter | kind | unit | what it counts |\n| --- | --- | --- | --- |\n";
#define X(name, kind, unit, help) table += "| `" #name "` | " #kind " | " #unit " | " help " |\n";
  GMLAKE_COUNTERS(X)
#undef X
  return table;
}

std::string unproved_table() {
  std::string table = "| figure | unit | what it counts |\n| --- | --- | --- |\n";
#define X(name, unit, help) table += "| `" #name "` | " #unit " | " help " |\n";
  GMLAKE_UNPROVED(X)
#undef X
  return table;
}

std::string driver_call_list() {
  std::string list;
#define X(name) list += "- `" #name "`\n";
  GMLAKE_DRIVER_CALLS(X)
#undef X
  return list;
}

std::string page() {
  std::ifstream file(GMLAKE_SOURCE_DIR "/docs/statistics.md", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Documented, Counters) {
  EXPECT_THAT(page(),
              testing::HasSubstr("<!-- counters -->\n" + counter_table() + "<!-- /counters -->\n"));
}

TEST(Documented, FiguresOfPairs) {
  EXPECT_THAT(page(),
              testing::HasSubstr("<!-- pairs -->\n" + unproved_table() + "<!-- /pairs -->\n"));
}

TEST(Documented, DriverCalls) {
  EXPECT_THAT(page(), testing::HasSubstr("<!-- driver calls -->\n" + driver_call_list() +
                                         "<!-- /driver calls -->\n"));
}

}  // namespace
