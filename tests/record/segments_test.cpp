// The bounded file: it can be read at any moment, keeps its bound and its newest part, and says why
// where it can not be written.
#include "record/segments.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/rows.h"
#include "trace/reader.h"

namespace gmlake::record::segments_test {
namespace {

using record::SegmentedFile;
using ::testing::HasSubstr;

class SegmentsTest : public ::testing::Test {
 protected:
  SegmentsTest() {
    char name[] = "/tmp/gmlake-record-XXXXXX";
    folder = mkdtemp(name);
    path = folder + "/trace.csv.gz";
  }
  ~SegmentsTest() override { std::filesystem::remove_all(folder); }
  // The names in the folder.
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }

  std::string folder, path;
};

record::Entry entry_of(record::Action action, std::uint64_t at, std::uint64_t bytes) {
  record::Entry entry;
  entry.ticks = record::ticks_now();
  entry.action = action;
  entry.pointer = at;
  entry.amount = bytes;
  entry.lane = record::Lane::created;
  entry.stream = 9;
  entry.handle = 0x99;
  return entry;
}

TEST_F(SegmentsTest, WhatIsFlushedCanBeRead) {
  SegmentedFile file;
  ASSERT_TRUE(file.open(path, SegmentedFile::kLeast)) << file.problem();
  ASSERT_TRUE(file.write(record::kHeader) && file.write("0,0.1,allocate,0x10,512,0x9,0,\n"));
  ASSERT_TRUE(file.flush());
  const auto whole = trace::read(path, {});
  ASSERT_TRUE(whole) << whole.error();
  EXPECT_EQ(whole->allocations, 1U);
  EXPECT_TRUE(whole->cut);
  EXPECT_EQ(whole->cut_rows, 0U);
  const auto flushed = std::filesystem::file_size(path);
  // A kill amid a write: what has come last is not all there.
  ASSERT_TRUE(file.write("0,0.2,allocate,0x20,512,0x9,0,\n0,0.3,allocate,0x30,512,0x9,0,\n"));
  ASSERT_TRUE(file.flush());
  const auto size = std::filesystem::file_size(path);
  for (std::uintmax_t less = 1; less < 40; ++less) {
    const auto copy = path + ".cut";
    std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(copy, size - less);
    const auto cut = trace::read(copy, {});
    ASSERT_TRUE(cut) << cut.error();
    EXPECT_GE(cut->allocations, size - less >= flushed ? 1U : 0U);
    EXPECT_LE(cut->cut_rows, 1U);
  }
  ASSERT_TRUE(file.close());
  EXPECT_FALSE(trace::read(path, {})->cut);
}

TEST_F(SegmentsTest, KeepsItsBoundAndWhatIsLeftIsARecording) {
  const auto seed = std::getenv("GMLAKE_TEST_SEED")
                        ? std::strtoul(std::getenv("GMLAKE_TEST_SEED"), nullptr, 10)
                        : std::random_device{}();
  std::printf("seed %lu\n", static_cast<unsigned long>(seed));
  std::mt19937_64 random(seed);
  record::Rows rows("1 2 test");
  SegmentedFile file;
  ASSERT_TRUE(file.open(path, SegmentedFile::kLeast)) << file.problem();
  std::string text;
  rows.begin(text);
  std::vector<std::uint64_t> live;
  std::uint64_t next = 0x1000, segments = 0;
  Bytes most = 0;
  rows.go_on();
  for (int i = 0; i < 600'000; ++i) {
    if (live.size() > 300 || (!live.empty() && random() % 2 == 0)) {
      std::swap(live[random() % live.size()], live.back());
      rows.add(entry_of(record::Action::free, live.back(), 0), text);
      live.pop_back();
    } else {
      live.push_back(next += 512 * (1 + random() % 4096));
      rows.add(entry_of(record::Action::allocate, next, random() % (1 << 30)), text);
    }
    if (text.size() < (std::size_t{128} << 10)) continue;
    ASSERT_TRUE(file.write(text)) << file.problem();
    text.clear();
    most = std::max<Bytes>(most, std::filesystem::file_size(path));
    if (!file.is_full()) continue;
    ASSERT_TRUE(file.next_segment()) << file.problem();
    ++segments;
    rows.begin(text);
  }
  ASSERT_TRUE(file.write(text) && file.close()) << file.problem();
  most = std::max<Bytes>(most, std::filesystem::file_size(path));
  EXPECT_LE(most, SegmentedFile::kLeast);
  EXPECT_GT(most, SegmentedFile::kLeast / 2);
  EXPECT_GT(segments, 8U);  // some of them are gone
  EXPECT_EQ(files(), 1U);
  const auto left = trace::read(path, {});
  ASSERT_TRUE(left) << left.error();
  EXPECT_EQ(left->unknown_frees, 0U);
  EXPECT_GT(left->initial_blocks, 0U);
  EXPECT_FALSE(left->cut);
  std::size_t blocks = left->allocations;
  for (const auto& event : left->events) blocks -= event.kind() == trace::Kind::free;
  EXPECT_EQ(blocks, live.size());
}

TEST_F(SegmentsTest, AFullDiskIsSaidOnce) {
  std::signal(SIGXFSZ, SIG_DFL);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  SegmentedFile file;
  ASSERT_TRUE(file.open(path, SegmentedFile::kLeast)) << file.problem();
  const rlimit little{4096, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  std::mt19937_64 random(1);
  std::string text(std::size_t{1} << 20, ' ');
  for (auto& c : text) c = static_cast<char>(random());
  EXPECT_FALSE(file.write(text) && file.flush());
  EXPECT_THAT(file.problem(), HasSubstr("File too large"));
  EXPECT_FALSE(file.write("more"));
  EXPECT_FALSE(file.close());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
}

TEST_F(SegmentsTest, NothingButAFileIsWritten) {
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  SegmentedFile pipe;
  EXPECT_FALSE(pipe.open(path, SegmentedFile::kLeast));
  EXPECT_THAT(pipe.problem(), HasSubstr("no regular file"));
  SegmentedFile folder_itself;
  EXPECT_FALSE(folder_itself.open(folder, SegmentedFile::kLeast));
  EXPECT_THAT(folder_itself.problem(), HasSubstr("directory"));
  SegmentedFile nowhere;
  EXPECT_FALSE(nowhere.open("/proc/none/trace.csv.gz", SegmentedFile::kLeast));
  EXPECT_THAT(nowhere.problem(), HasSubstr("can not be written"));
}

TEST_F(SegmentsTest, ALinkIsReplacedAndNotFollowed) {
  const auto target = folder + "/precious";
  std::ofstream(target) << "precious";
  ASSERT_EQ(symlink(target.c_str(), path.c_str()), 0);
  SegmentedFile file;
  ASSERT_TRUE(file.open(path, SegmentedFile::kLeast) && file.write("x") && file.close());
  EXPECT_EQ(std::filesystem::file_size(target), 8U);
  EXPECT_FALSE(std::filesystem::is_symlink(path));
}

TEST_F(SegmentsTest, AFileThatIsWrittenToIsLeftAlone) {
  SegmentedFile first, second;
  ASSERT_TRUE(first.open(path, SegmentedFile::kLeast));
  EXPECT_FALSE(second.open(path, SegmentedFile::kLeast));
  EXPECT_TRUE(second.is_taken());
  EXPECT_TRUE(first.has_its_name());
  ASSERT_TRUE(first.close());
  SegmentedFile third;  // one of an earlier run is replaced
  EXPECT_TRUE(third.open(path, SegmentedFile::kLeast));
  std::filesystem::remove(path);
  EXPECT_FALSE(third.has_its_name());
}

}  // namespace
}  // namespace gmlake::record::segments_test
