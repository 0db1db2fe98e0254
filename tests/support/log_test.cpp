// The log in a file: where it goes, where it does not, and what it can not be made to say.
#include "support/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gmlake {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class LogFile : public testing::TestWithParam<const char*> {
 protected:
  LogFile() {
    auto name = std::string(GetParam()) + "/gmlake-log-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
    folder_ = name;
  }
  ~LogFile() override {
    log::configure(log::Level::warning, "");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  // What goes to stderr meanwhile.
  static std::string say(const fs::path& file, const char* text) {
    testing::internal::CaptureStderr();
    log::configure(log::Level::warning, file.string());
    log::warning("{}", text);
    return testing::internal::GetCapturedStderr();
  }
  fs::path folder_;
};

TEST_P(LogFile, IsAppendedTo) {
  EXPECT_EQ(say(folder_ / "a" / "log", "one"), "");
  EXPECT_EQ(say(folder_ / "a" / "log", "two"), "");
  EXPECT_THAT(read(folder_ / "a" / "log"), AllOf(HasSubstr(": one\n"), EndsWith(": two\n")));
}

TEST_P(LogFile, LinksAreNotFollowed) {
  const auto victim = folder_ / "victim";
  std::ofstream(victim) << "mine";
  fs::create_symlink(victim, folder_ / "link");
  EXPECT_THAT(say(folder_ / "link", "hello"),
              AllOf(HasSubstr("link is a link"), EndsWith(": hello\n")));
  EXPECT_EQ(read(victim), "mine");
  fs::create_symlink(folder_ / "nothing", folder_ / "dangling");
  EXPECT_THAT(say(folder_ / "dangling", "hello"), HasSubstr("hello"));
  EXPECT_FALSE(fs::exists(folder_ / "nothing"));
}

TEST_P(LogFile, PipesAreNotWaitedFor) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(say(pipe, "hello"), AllOf(HasSubstr("can not be opened"), EndsWith(": hello\n")));
  // One who has it open and does not read.
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const auto start = std::chrono::steady_clock::now();
  (void)say(pipe, std::string(1 << 17, 'x').c_str());  // that it is lost is said once in a process
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  close(reader);
}

TEST_P(LogFile, ControlCharactersAreShownByTheirNumbers) {
  EXPECT_EQ(say(folder_ / "log", "a\x1b[2J\x7f\r\xc2\x9b"), "");
  EXPECT_THAT(read(folder_ / "log"), EndsWith(": a\\x1b[2J\\x7f\\x0d\\xc2\\x9b\n"));
  EXPECT_THAT(say("", "a\x1b[2J"), EndsWith(": a\\x1b[2J\n"));
}

INSTANTIATE_TEST_SUITE_P(In, LogFile, testing::Values("/tmp", "/dev/shm"),
                         [](const auto& one) { return one.index == 0 ? "Tmp" : "SharedMemory"; });

}  // namespace
}  // namespace gmlake
