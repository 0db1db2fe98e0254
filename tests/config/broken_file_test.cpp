// Every way a file can be wrong, and that the message names the file, the place in it, and what to
// do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>

#include <sys/stat.h>

#include "config/load.h"
#include "temporary_file.h"

namespace gmlake::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct Broken {
  const char* name;
  const char* text;
  const char* place;  // behind the file's name: line, column, path
  const char* reason;
  const char* remedy;
};
void PrintTo(const Broken& broken, std::ostream* out) {
  *out << broken.text;
}

class BrokenFile : public testing::TestWithParam<Broken> {};

TEST_P(BrokenFile, IsExplained) {
  const auto& broken = GetParam();
  const test::TemporaryFile file(broken.text);
  const auto result = load({{"GMLAKE_CONFIG", file.path()}});
  ASSERT_THAT(result.problems, SizeIs(1)) << describe(result.problems);
  EXPECT_THAT(describe(result.problems[0]),
              AllOf(StartsWith(file.path() + broken.place + ": "), HasSubstr(broken.reason)));
  EXPECT_THAT(result.problems[0].remedy, HasSubstr(broken.remedy));
}

const Broken kBroken[] = {
    {"Empty", "", "", "is empty", "write {}"},
    {"Blank", " \n\t\r\n", "", "is empty", "write {}"},
    {"NoJson", "chunk_size = 2MiB", ":1:1", "syntax error", "correct the JSON"},
    {"TrailingComma", "{\"pool\": {\"enabled\": true,}}", ":1:27", "syntax error",
     "no comma follows"},
    {"Unclosed", "{\"pool\": {\n\"enabled\": true", ":2:16", "unexpected end of input", "correct"},
    {"Comment", "{\n// note\n}", ":2:1", "syntax error", "keys that begin with \"//\""},
    {"SecondValue", "{} {}", ":1:4", "syntax error", "correct the JSON"},
    {"BrokenUtf8", "{\"log\": {\"file\": \"\xff\"}}", ":1:19", "ill-formed UTF-8",
     "correct the JSON"},
    {"List", "[1, 2]", "", "does not hold an object", "{\"section\": {\"key\": value}}"},
    {"Number", "7", "", "does not hold an object", "{\"section\": {\"key\": value}}"},
    {"Section", "{\"stich\": {}}", ":1:2: stich", "is no section", "did you mean \"stitch\"?"},
    {"OtherSection", "{\"wxyz\": {}}", ":1:2: wxyz", "is no section", "hooks, processes, pool"},
    {"FlatPath", "{\"pool.enabled\": true}", ":1:2: pool.enabled", "is no section",
     "write \"pool\": {\"enabled\": value}"},
    {"SectionIsFlag", "{\"pool\": true}", ":1:2: pool", "is not an object", "write \"pool\": {"},
    {"SectionIsList", "{\"pool\": []}", ":1:2: pool", "is not an object", "write \"pool\": {"},
    {"Key", "{\"pool\": {\n  \"chunksize\": 1}}", ":2:3: pool.chunksize", "is no option",
     "did you mean \"chunk_size\"?"},
    {"OtherKey", "{\"log\": {\"zz\": 1}}", ":1:10: log.zz", "is no option", "level, file"},
    {"KeyElsewhere", "{\"log\": {\"chunk_size\": 1}}", ":1:10: log.chunk_size", "is no option",
     "did you mean \"pool.chunk_size\"?"},
    {"CommentInSection", "{\"log\": {\"//\": 1}}", ":1:10: log.//", "is no option", "level, file"},
    {"SectionTwice", "{\"log\": {}, \"log\": {}}", ":1:13: log", "is given twice", "keep one"},
    {"KeyTwice", "{\"log\": {\"level\": \"off\", \"level\": \"off\"}}", ":1:26: log.level",
     "is given twice", "keep one"},
    {"FlagAsNumber", "{\"pool\": {\"enabled\": 1}}", ":1:11: pool.enabled", "is a number (1)",
     "true or false"},
    {"FlagAsText", "{\"pool\": {\"enabled\": \"yes\"}}", ":1:11: pool.enabled", "is text (\"yes\")",
     "true or false"},
    {"Null", "{\"pool\": {\"enabled\": null}}", ":1:11: pool.enabled", "is null", "true or false"},
    {"SizeUnit", "{\"pool\": {\"max_bytes\": \"5 parsecs\"}}", ":1:11: pool.max_bytes",
     "no unit known here (\"parsecs\")", "from 0B to 1024TiB"},
    {"SizeWord", "{\"pool\": {\"max_bytes\": \"all\"}}", ":1:11: pool.max_bytes", "not a size",
     "in bytes or with a unit such as \"512MiB\""},
    {"SizeEmpty", "{\"pool\": {\"max_bytes\": \"\"}}", ":1:11: pool.max_bytes", "not a size",
     "512MiB"},
    {"SizeFlag", "{\"pool\": {\"max_bytes\": true}}", ":1:11: pool.max_bytes", "is a flag (true)",
     "512MiB"},
    {"SizeObject", "{\"pool\": {\"max_bytes\": {\"a\": [1]}}}", ":1:11: pool.max_bytes",
     "is an object", "512MiB"},
    {"SizeNegative", "{\"pool\": {\"max_bytes\": -1}}", ":1:11: pool.max_bytes", "-1 is negative",
     "from 0B"},
    {"SizeNegativeText", "{\"pool\": {\"max_bytes\": \"-1GiB\"}}", ":1:11: pool.max_bytes",
     "is negative", "from 0B"},
    {"SizeFraction", "{\"pool\": {\"max_bytes\": 1.5}}", ":1:11: pool.max_bytes",
     "1.5 is a fraction", "from 0B"},
    {"SizeRange", "{\"pool\": {\"chunk_size\": \"1KiB\"}}", ":1:11: pool.chunk_size",
     "out of range", "from 2MiB to 1GiB"},
    {"SizeHuge", "{\"pool\": {\"max_bytes\": 1e300}}", ":1:11: pool.max_bytes", "out of range",
     "1024TiB"},
    {"CountNegative", "{\"stitch\": {\"max_windows\": -3}}", ":1:13: stitch.max_windows",
     "-3 is negative", "from 0 to 1000000"},
    {"CountFraction", "{\"stitch\": {\"max_windows\": 0.5}}", ":1:13: stitch.max_windows",
     "0.5 is a fraction", "a whole number from 0"},
    {"CountRange", "{\"stitch\": {\"max_windows\": 1000001}}", ":1:13: stitch.max_windows",
     "1000001 is out of range", "from 0 to 1000000"},
    {"CountText", "{\"stitch\": {\"max_windows\": \"9\"}}", ":1:13: stitch.max_windows",
     "is text (\"9\")", "a whole number"},
    {"RatioRange", "{\"stitch\": {\"growth_slack\": 1.5}}", ":1:13: stitch.growth_slack",
     "1.5 is out of range", "a number from 0 to 1"},
    {"RatioAsTyped", "{\"stitch\": {\"growth_slack\": 1.10e0}}", ":1:13: stitch.growth_slack",
     "1.10e0 is out of range", "a number from 0 to 1"},
    {"CountAsTyped", "{\"stitch\": {\"max_windows\": 18446744073709551616}}",
     ":1:13: stitch.max_windows", "18446744073709551616 is out of range", "a whole number"},
    {"RatioText", "{\"stitch\": {\"growth_slack\": \"1%\"}}", ":1:13: stitch.growth_slack",
     "is text", "a number from 0 to 1"},
    {"Choice", "{\"log\": {\"level\": \"loud\"}}", ":1:10: log.level", "\"loud\" is not one",
     "debug, info, warning, error, off"},
    {"ChoiceNumber", "{\"streams\": {\"free\": 0}}", ":1:14: streams.free", "is a number (0)",
     "deferred, synchronous"},
    {"ListText", "{\"processes\": {\"include\": \"*\"}}", ":1:16: processes.include", "is text",
     "a list of texts"},
    {"ListEntry", "{\"processes\": {\"include\": [\"*\", 1]}}", ":1:16: processes.include",
     "entry 1 is a number", "a list of texts"},
    {"TextNumber", "{\"stats\": {\"file\": 7}}", ":1:12: stats.file", "is a number (7)", "text"},
    {"Sequence", "{\"stats\": {\"file\": \"a%q\"}}", ":1:12: stats.file", "unknown sequence \"%q\"",
     "%p %h %r"},
    {"LonePercent", "{\"log\": {\"file\": \"a%\"}}", ":1:10: log.file", "unknown sequence \"%\"",
     "%%"},
};

INSTANTIATE_TEST_SUITE_P(All, BrokenFile, testing::ValuesIn(kBroken),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(ConfigFile, ChunkSizeMustBeAMultipleOfTheGranularity) {
  const test::TemporaryFile file(R"({"pool": {"chunk_size": "3MiB"}})");
  const auto result = load({{"GMLAKE_CONFIG", file.path()}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_EQ(describe(result.problems[0]),
            file.path() + ": pool.chunk_size: 3MiB is not a power of two; give 4MiB");
}

TEST(ConfigFile, SmallLimitMayNotExceedTheChunk) {
  const test::TemporaryFile file(R"({"pool": {"small_limit": "4MiB"}})");
  const auto result = load({{"GMLAKE_CONFIG", file.path()}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]),
              AllOf(StartsWith(file.path() + ": pool.small_limit: "),
                    HasSubstr("(4MiB) is larger than pool.chunk_size (2MiB)")));
}

TEST(ConfigFile, MissingFile) {
  const auto result = load({{"GMLAKE_CONFIG", "/nonexistent/gmlake.json"}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]),
              AllOf(StartsWith("/nonexistent/gmlake.json: can not be read: No such file"),
                    HasSubstr("set GMLAKE_CONFIG")));
}

TEST(ConfigFile, Folder) {
  const test::TemporaryFolder folder;
  const auto result = load({{"GMLAKE_CONFIG", folder.path().string()}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]), HasSubstr("can not be read: Is a directory"));
}

// A file that may be opened and not read, whoever runs the test: even root may not read another's
// memory at 0.
TEST(ConfigFile, Unreadable) {
  const auto result = load({{"GMLAKE_CONFIG", "/proc/self/mem"}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]),
              AllOf(StartsWith("/proc/self/mem: can not be read: "), HasSubstr("GMLAKE_CONFIG")));
}

TEST(ConfigFile, EndlessFile) {
  const auto result = load({{"GMLAKE_CONFIG", "/dev/zero"}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]), HasSubstr("/dev/zero: is larger than 1 MiB"));
}

TEST(ConfigFile, APipeThatNobodyWritesToIsNotWaitedFor) {
  const test::TemporaryFolder folder;
  const auto path = (folder.path() / "pipe").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto result = load({{"GMLAKE_CONFIG", path}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]), HasSubstr("is empty"));
}

// Each key has a place, which is a line and a column, and a nearest name; a mistake of each of the
// bytes must not cost as much as all of them. On a machine of any speed: seconds, where it took
// minutes.
TEST(ConfigFile, TheLargestFileIsReadSoon) {
  std::string keys = "{\"pool\": {";
  while (keys.size() < (std::size_t{1} << 20) - 100) keys += "\"enabld\":0,\n";
  keys += "\"x\":0}}";
  const std::string text(std::size_t{1} << 19, 'x');
  for (const auto& whole : {keys, "{\"" + text + "\": 1}", "{\"pool\": {\"" + text + "\": 1}}"}) {
    const test::TemporaryFile file(whole);
    const auto start = std::chrono::steady_clock::now();
    const auto result = load({{"GMLAKE_CONFIG", file.path()}});
    EXPECT_FALSE(result.ok());
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    EXPECT_LT(describe(result.problems).size(), std::size_t{1} << 20);
  }
}

TEST(ConfigFile, DeepNestingIsRefusedNotCrashedOn) {
  const test::TemporaryFile file(std::string(500'000, '['));
  const auto result = load({{"GMLAKE_CONFIG", file.path()}});
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(describe(result.problems[0]), HasSubstr("nested too deeply"));
}

TEST(ConfigFile, AllProblemsAreCollected) {
  const test::TemporaryFile file(R"({"pool": {"enabled": 1, "max_bytes": -1}, "x": {}, "log": 0})");
  const auto result = load({{"GMLAKE_CONFIG", file.path()}, {"GMLAKE_LOG_LEVEL", "loud"}});
  EXPECT_THAT(result.problems, SizeIs(5)) << describe(result.problems);
  const auto text = describe(result.problems);
  EXPECT_THAT(text, StartsWith("the configuration has 5 problems:\n  " + file.path() + ":1:11: "));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
}

TEST(Describe, NothingForNothing) {
  EXPECT_EQ(describe(std::vector<Problem>{}), "");
}

TEST(Describe, NoMoreThanSomebodyReads) {
  const std::vector<Problem> problems(1000, Problem{"f.json", "x", 1, 1, "is wrong", ""});
  const auto text = describe(problems);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 21);
  EXPECT_THAT(text, testing::EndsWith("\n  and 980 more"));
}

TEST(Describe, ControlCharactersAreShownByTheirNumbers) {
  EXPECT_EQ(describe(Problem{"f.json", "a\x1b[2J\nb", 0, 0, "is no option", ""}),
            "f.json: a\\x1b[2J\\x0ab: is no option");
}

TEST(Describe, OneProblem) {
  const Problem problem{"f.json", "pool.enabled", 3, 9, "is wrong", "mend it"};
  EXPECT_EQ(describe(problem), "f.json:3:9: pool.enabled: is wrong; mend it");
  EXPECT_EQ(describe(std::vector{problem}),
            "the configuration has a problem:\n  f.json:3:9: pool.enabled: is wrong; mend it");
}

}  // namespace
}  // namespace gmlake::config
