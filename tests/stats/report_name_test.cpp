// Names of reports where several processes were told one.
#include "stats/report_name.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "stats/file_output.h"
#include "stats/process_stamp.h"

namespace gmlake::stats {
namespace {

class ReportName : public ::testing::Test {
 protected:
  ReportName() { folder_ = mkdtemp(pattern_); }
  ~ReportName() override { std::filesystem::remove_all(folder_); }
  std::string in_folder(const std::string& name) const { return folder_ + "/" + name; }
  std::size_t files(const std::string& name) const {
    std::size_t count = 0;
    for (const auto& file : std::filesystem::directory_iterator(in_folder(name))) {
      EXPECT_EQ(file.path().filename().string().find(".tmp"), std::string::npos);
      ++count;
    }
    return count;
  }

 private:
  char pattern_[64] = "/tmp/gmlake-report-name-XXXXXX";
  std::string folder_;
};

// Processes that end at the same moment: none loses its report to another.
TEST_F(ReportName, EachOfManyAtOnceHasItsOwn) {
  constexpr int kRounds = 50;
  constexpr int kProcesses = 8;
  for (int round = 0; round < kRounds; ++round) {
    const auto name = std::to_string(round);
    const auto path = in_folder(name) + "/report.json";
    const auto since = nanoseconds_since_1970() - 1'000'000'000;
    int gate[2];
    ASSERT_EQ(pipe(gate), 0);
    for (int i = 0; i < kProcesses; ++i) {
      if (fork() != 0) continue;
      (void)close(gate[1]);
      char none = 0;
      (void)!read(gate[0], &none, 1);  // until all are there
      const Naming naming(path);
      const auto own = naming.name_for({getpid(), since, ""});
      _exit(replace_file(own, std::to_string(getpid())));
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    for (int i = 0; i < kProcesses; ++i) {
      int status = 0;
      (void)wait(&status);
      EXPECT_EQ(status, 0);
    }
    ASSERT_EQ(files(name), kProcesses);
  }
}

TEST_F(ReportName, AFolderThatCanNotBeLockedIsNoReasonToWait) {
  const Naming nowhere("/proc/none/report.json");
  const Naming device("/dev/null");
  const Naming none("");
  const auto path = in_folder("report.json");
  const Naming first(path);
  const Naming second(path);  // after a moment
  EXPECT_EQ(first.name_for({1, 0, ""}), path);
  EXPECT_EQ(second.name_for({2, 0, ""}), in_folder("report.2.json"));
}

}  // namespace
}  // namespace gmlake::stats
