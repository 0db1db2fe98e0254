// Files: the format is told by content, gzip is unpacked, and what the writer writes the reader
// reads.
#include <gmock/gmock.h>

#include "pickled.h"
#include "temporary_file.h"
#include "trace/csv_writer.h"
#include "trace/reader.h"

namespace gmlake::trace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void write_rows(const std::string& path) {
  CsvWriter writer;
  ASSERT_TRUE(writer.open(path));
  writer.row(Kind::allocate, 3, 3'661'000'001, 0x200, 77, 0x10);
  writer.row(Kind::free, 3, 3'661'000'002, 0x200, 77, 0x10);
  ASSERT_TRUE(writer.close());
}

void expect_rows(const std::string& path) {
  const auto read = trace::read(path, {});
  ASSERT_TRUE(read) << read.error();
  ASSERT_EQ(read->events.size(), 2U);
  EXPECT_EQ(read->events[0].bytes, 77U);
  EXPECT_EQ(read->events[0].time, 3'661'000'001U);
  EXPECT_EQ(read->streams.front(), 0x10U);
  EXPECT_EQ(read->threads.front(), 3U);
}

TEST(File, PlainAndPacked) {
  const TemporaryFile plain(".csv"), packed(".csv.gz"), again(".again.gz");
  write_rows(plain.path());
  write_rows(packed.path());
  write_rows(again.path());
  EXPECT_EQ(plain.bytes(),
            "Thread,Time,Action,Pointer,Size,Stream\n"
            "3,01:01:01.000001,allocate,0x200,77,0x10\n"
            "3,01:01:01.000002,free,0x200,77,0x10\n");
  EXPECT_THAT(packed.bytes(), StartsWith("\x1f\x8b"));
  EXPECT_EQ(packed.bytes(), again.bytes());
  expect_rows(plain.path());
  expect_rows(packed.path());
}

TEST(File, TheNameDoesNotMatter) {
  const TemporaryFile packed(".csv.gz"), renamed(".pickle");
  write_rows(packed.path());
  renamed.write(packed.bytes());
  expect_rows(renamed.path());
  const TemporaryFile snapshot_file(".csv");
  snapshot_file.write(snapshot("", {Pickled().event("alloc", 0x1, 10).inner()}));
  EXPECT_TRUE(trace::read(snapshot_file.path(), {}));
}

TEST(File, SaysWhatIsWrongWithIt) {
  const TemporaryFile cut(".gz"), empty(".csv");
  write_rows(cut.path());
  const auto bytes = cut.bytes();
  cut.write(bytes.substr(0, bytes.size() - 12));
  const auto read = trace::read(cut.path(), {});  // as a kill leaves it
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(read->cut);
  EXPECT_FALSE(read->events.empty());
  cut.write(bytes.substr(0, bytes.size() / 2) + std::string(40, 'x') +
            bytes.substr(bytes.size() / 2));
  EXPECT_THAT(trace::read(cut.path(), {}).error(),
              AllOf(HasSubstr(cut.path()), HasSubstr("damaged")));
  empty.write("");
  EXPECT_THAT(trace::read(empty.path(), {}).error(), HasSubstr("is empty"));
  EXPECT_THAT(trace::read("/nowhere/at.all", {}).error(), HasSubstr("No such file"));
  EXPECT_THAT(trace::read(testing::TempDir(), {}).error(), HasSubstr("is a directory"));
  CsvWriter writer;
  EXPECT_THAT(writer.open("/nowhere/at.all").error(), HasSubstr("No such file"));
}

TEST(File, AFullDiskIsReported) {
  CsvWriter writer;
  ASSERT_TRUE(writer.open("/dev/full"));
  writer.row(Kind::allocate, 0, 0, 1, 1, 0);
  EXPECT_THAT(writer.close().error(), HasSubstr("No space left"));
}

}  // namespace
}  // namespace gmlake::trace
