// Reports reach their file whole or not at all.
#include "stats/file_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "made_up_report.h"

namespace gmlake::stats {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class FileOutput : public testing::Test {
 protected:
  FileOutput() {
    auto name = (fs::temp_directory_path() / "gmlake-stats-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
    folder_ = name;
  }
  ~FileOutput() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  fs::path folder_;
};

TEST_F(FileOutput, MakesFoldersAndLeavesNothingElse) {
  const auto path = folder_ / "a" / "b" / "report.txt";
  EXPECT_EQ(replace_file(path.string(), "hello"), 0);
  EXPECT_EQ(read(path), "hello");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
}

TEST_F(FileOutput, KeepsTheModeOfWhatItReplaces) {
  const auto path = folder_ / "report";
  ASSERT_EQ(replace_file(path.string(), "one"), 0);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_EQ(replace_file(path.string(), "two"), 0);
  EXPECT_EQ(read(path), "two");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

// Others may share the folder, and know our number.
TEST_F(FileOutput, WhatLiesInWaitBesideIsNotWrittenTo) {
  const auto path = folder_ / "report";
  const auto trap = folder_ / ("report." + std::to_string(getpid()) + ".tmp");
  std::ofstream(trap) << "mine";
  ASSERT_EQ(replace_file(path.string(), "hello"), 0);
  EXPECT_EQ(read(trap), "mine");
  EXPECT_EQ(read(path), "hello");
}

TEST_F(FileOutput, APipeWithoutAReaderIsNotWaitedFor) {
  const auto path = folder_ / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(replace_file(path.string(), "hello"), ENXIO);
}

TEST_F(FileOutput, APipeWhoseReaderDoesNotReadIsWaitedForSomeSeconds) {
  const auto path = folder_ / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  EXPECT_EQ(replace_file(path.string(), std::string(1 << 20, 'x')), ETIMEDOUT);
  close(reader);
}

// Whoever shares the folder may lead us anywhere: a link to a file is replaced, and not what it
// leads to; one to a disk is refused before anything is opened.
TEST_F(FileOutput, LinksAreReplacedAndLeadToNoDisk) {
  const auto path = folder_ / "report", victim = folder_ / "victim", disk = folder_ / "disk";
  std::ofstream(victim) << "mine";
  fs::create_symlink(victim, path);
  ASSERT_EQ(replace_file(path.string(), "hello"), 0);
  EXPECT_EQ(read(victim), "mine");
  EXPECT_EQ(read(path), "hello");
  // A disk that is nobody's, so that opening it says so by another error.
  if (mknod(disk.c_str(), S_IFBLK | 0600, makedev(0xffe, 0xffffe)) != 0)
    GTEST_SKIP() << "no device can be made here";
  fs::remove(path);
  fs::create_symlink(disk, path);
  EXPECT_EQ(replace_file(path.string(), "hello"), EPERM);
  EXPECT_EQ(replace_file(disk.string(), "hello"), EPERM);
  EXPECT_TRUE(fs::is_symlink(path));
}

// /dev/shm is a folder as others are, and one where anybody may make links.
TEST_F(FileOutput, SharedMemoryHoldsFilesAndLinks) {
  auto name = std::string("/dev/shm/gmlake-stats-XXXXXX");
  if (mkdtemp(name.data()) == nullptr) GTEST_SKIP() << "there is no /dev/shm here";
  const fs::path shared(name), victim = folder_ / "victim";
  std::ofstream(victim) << "mine";
  fs::create_symlink(victim, shared / "link");
  EXPECT_EQ(replace_file((shared / "new").string(), "hello"), 0);
  EXPECT_EQ(replace_file((shared / "link").string(), "hello"), 0);
  EXPECT_EQ(read(shared / "new"), "hello");
  EXPECT_EQ(read(shared / "link"), "hello");
  EXPECT_EQ(read(victim), "mine");
  fs::remove_all(shared);
}

TEST_F(FileOutput, LaterFilesAreNumbered) {
  EXPECT_EQ(numbered_path("a.b/oom.json", 1), "a.b/oom.json");
  EXPECT_EQ(numbered_path("a.b/oom.json", 2), "a.b/oom.2.json");
  EXPECT_EQ(numbered_path("oom.json", 3), "oom.3.json");
  EXPECT_EQ(numbered_path("a.b/oom", 3), "a.b/oom.3");
  EXPECT_EQ(numbered_path("a.b/.oom", 2), "a.b/.oom.2");
  EXPECT_EQ(numbered_path("/dev/stderr", 2), "/dev/stderr");
}

// A reader that has the old file open keeps all of it: the new one is another file under the same
// name.
TEST_F(FileOutput, ReplacesRatherThanOverwrites) {
  const auto path = folder_ / "report.txt";
  ASSERT_EQ(replace_file(path.string(), "a long first text"), 0);
  std::ifstream reader(path);
  ASSERT_EQ(replace_file(path.string(), "second"), 0);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "a long first text");
  EXPECT_EQ(read(path), "second");
  EXPECT_EQ(files(), 1);
}

TEST_F(FileOutput, FailureLeavesTheOldFileAndNoRemains) {
  const auto path = folder_ / "report.txt";
  ASSERT_EQ(replace_file(path.string(), "old"), 0);
  EXPECT_EQ(replace_file((path / "below").string(), "new"), ENOTDIR);
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(files(), 1);
}

TEST_F(FileOutput, NoFolderCanBeMadeInProc) {
  EXPECT_NE(replace_file("/proc/gmlake/report.txt", "new"), 0);
}

TEST_F(FileOutput, DevicesAndPipesAreWrittenToNotReplaced) {
  EXPECT_EQ(replace_file("/dev/null", "text"), 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));

  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  EXPECT_EQ(replace_file(pipe.string(), "text"), 0);
  char text[8] = {};
  EXPECT_EQ(::read(reader, text, sizeof text), 4);
  close(reader);
  EXPECT_STREQ(text, "text");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(FileOutput, ReportsGoToTheirFiles) {
  const auto report = made_up_report();
  EXPECT_TRUE(write_text(report, (folder_ / "t").string()));
  EXPECT_TRUE(write_json(report, (folder_ / "j").string()));
  EXPECT_EQ(read(folder_ / "t"), to_text(report));
  EXPECT_EQ(read(folder_ / "j"), to_json(report));
}

TEST_F(FileOutput, WithoutAFileTheTextGoesToStderr) {
  testing::internal::CaptureStderr();
  EXPECT_TRUE(write_text(made_up_report(), ""));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), to_text(made_up_report()));
}

TEST_F(FileOutput, AFailureNamesThePathAndTheReason) {
  std::ofstream(folder_ / "file") << "x";
  const auto path = (folder_ / "file" / "report.json").string();
  testing::internal::CaptureStderr();
  const auto status = write_json(made_up_report(), path);
  const auto said = testing::internal::GetCapturedStderr();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ENOTDIR);
  EXPECT_THAT(said,
              AllOf(HasSubstr("stats.json_file"), HasSubstr(path), HasSubstr("Not a directory")));
}

}  // namespace
}  // namespace gmlake::stats
