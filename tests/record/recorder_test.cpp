// A recording from its beginning to its end: what has been noted is in the file, whoever noted it.
#include "record/recorder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "trace/reader.h"

namespace gmlake::record::recorder_test {
namespace {

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    char name[] = "/tmp/gmlake-record-XXXXXX";
    folder = mkdtemp(name);
    what.path = folder + "/trace.csv.gz";
    what.own_path = folder + "/trace.own.csv.gz";
    what.most = 64 * MiB;
    what.process = "1 2 test";
  }
  ~RecorderTest() override {
    (void)record::end();
    std::filesystem::remove_all(folder);
  }

  std::string folder;
  record::Recording what;
};

void allocate(std::uint64_t at) {
  record::Entry entry;
  entry.pointer = at;
  entry.amount = 512;
  record::note(entry);
}

TEST_F(RecorderTest, WritesWhatAllThreadsNote) {
  EXPECT_FALSE(record::is_on());
  allocate(1);  // nobody listens
  ASSERT_EQ(record::begin(what), 0);
  EXPECT_EQ(record::begin(what), EALREADY);
  EXPECT_TRUE(record::is_on());
  constexpr std::uint64_t kThreads = 4, kEach = 5000;
  std::vector<std::thread> threads;
  for (std::uint64_t me = 0; me < kThreads; ++me)
    threads.emplace_back([me] {
      for (std::uint64_t i = 0; i < kEach; ++i) allocate(0x1000 + me * kEach + i);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(record::end());
  EXPECT_FALSE(record::end());
  EXPECT_FALSE(record::is_on());
  const auto trace = trace::read(what.path, {});
  ASSERT_TRUE(trace) << trace.error();
  EXPECT_EQ(trace->allocations + trace->lost, kThreads * kEach);
  EXPECT_EQ(trace->lost, 0U);
  EXPECT_EQ(trace->threads.size(), kThreads);
  EXPECT_FALSE(trace->cut);
}

TEST_F(RecorderTest, BeginsAnewWithNothingOfTheOneBefore) {
  ASSERT_EQ(record::begin(what), 0);
  allocate(0x1000);
  ASSERT_TRUE(record::end());
  allocate(0x2000);
  ASSERT_EQ(record::begin(what), 0);
  allocate(0x3000);
  ASSERT_TRUE(record::end());
  const auto trace = trace::read(what.path, {});
  ASSERT_TRUE(trace) << trace.error();
  EXPECT_EQ(trace->allocations, 1U);
}

TEST_F(RecorderTest, WhatCanNotBeWrittenIsNotRecorded) {
  what.path = "/proc/none/trace.csv.gz";
  EXPECT_NE(record::begin(what), 0);
  EXPECT_FALSE(record::is_on());
  allocate(0x1000);
}

TEST_F(RecorderTest, AFileThatIsTakenAwayIsGoneOnWithElsewhere) {
  ASSERT_EQ(record::begin(what), 0);
  allocate(0x1000);
  std::filesystem::remove(what.path);
  for (int i = 0; i < 500 && !std::filesystem::exists(what.own_path); ++i) usleep(10'000);
  allocate(0x2000);
  ASSERT_TRUE(record::end());
  const auto trace = trace::read(what.own_path, {});
  ASSERT_TRUE(trace) << trace.error();
  EXPECT_EQ(trace->allocations, 2U);
  EXPECT_EQ(trace->initial_blocks, 1U);
}

TEST_F(RecorderTest, AForkedChildRecordsForItself) {
  ASSERT_EQ(record::begin(what), 0);
  allocate(0x1000);
  const auto child = fork();
  if (child == 0) {
    record::after_fork();
    allocate(0x2000);
    auto own = what;
    own.path = folder + "/child.csv.gz";
    const bool began = !record::end() && record::begin(own) == 0;
    allocate(0x3000);
    _exit(began && record::end() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(record::end());
  EXPECT_EQ(trace::read(what.path, {})->allocations, 1U);
  EXPECT_EQ(trace::read(folder + "/child.csv.gz", {})->allocations, 1U);
}

}  // namespace
}  // namespace gmlake::record::recorder_test
