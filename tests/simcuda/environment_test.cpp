// SIMCUDA_* and the life of a process: each case is a process of its own.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

namespace {

struct Outcome {
  int status = -1;
  std::string output;  // stdout and stderr
};

Outcome run(const std::string& environment, const std::string& what) {
  const std::string command =
      "env " + environment + " " + ENVIRONMENT_CLIENT + " " + what + " 2>&1";
  Outcome outcome;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  while (const auto length = std::fread(buffer, 1, sizeof buffer, pipe))
    outcome.output.append(buffer, length);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TEST(SimcudaEnvironment, AWrongSettingIsSaidOnceAndStopsTheDriver) {
  for (const std::string wrong :
       {"SIMCUDA_NONSENSE=1", "SIMCUDA_MEMORY=many", "SIMCUDA_MEMORY=3MiB", "SIMCUDA_DEVICES=two",
        "SIMCUDA_DEVICES=17", "SIMCUDA_BACKING=disk", "SIMCUDA_LOG=loud",
        "SIMCUDA_LOG=stats:", "SIMCUDA_FAULTS=cuMemCreate", "SIMCUDA_FAULTS=cuNoSuch:1=2",
        "SIMCUDA_FAULTS=cuMemCreate:0=2", "SIMCUDA_FAULTS=cuMemCreate:1=0",
        "SIMCUDA_FAULTS=cuMemCreate:every=x=2"}) {
    const Outcome outcome = run(wrong, "allocate");
    EXPECT_EQ(outcome.status, 0) << wrong;
    EXPECT_NE(outcome.output.find("init 1"), std::string::npos) << outcome.output;
    EXPECT_NE(outcome.output.find("alloc 3"), std::string::npos) << outcome.output;
    const auto message = outcome.output.find("simcuda: " + wrong.substr(0, wrong.find('=')));
    EXPECT_NE(message, std::string::npos) << outcome.output;
    EXPECT_EQ(outcome.output.find("simcuda:", message + 1), std::string::npos) << outcome.output;
  }
}

TEST(SimcudaEnvironment, NoDevicesIsNoDevice) {
  EXPECT_NE(run("SIMCUDA_DEVICES=0", "allocate").output.find("init 100"), std::string::npos);
}

TEST(SimcudaEnvironment, FaultsHitTheCallsTheyName) {
  EXPECT_EQ(run("SIMCUDA_FAULTS=cuMemAlloc_v2:2=2", "allocate").output,
            "init 0\nalloc 0\nalloc 2\nalloc 0\nalloc 0\nalloc 0\nalloc 0\n");
  EXPECT_EQ(run("SIMCUDA_FAULTS=cuMemAlloc_v2:every=3=700,cuMemAlloc_v2:1=2", "allocate").output,
            "init 0\nalloc 2\nalloc 0\nalloc 700\nalloc 0\nalloc 0\nalloc 700\n");
  EXPECT_NE(run("SIMCUDA_FAULTS=cuInit:1=999", "allocate").output.find("init 999"),
            std::string::npos);
}

TEST(SimcudaEnvironment, StatisticsGoToStderrOrToAFile) {
  const Outcome text = run("SIMCUDA_LOG=stats", "allocate");
  EXPECT_NE(text.output.find("peak physical memory 24.00 KiB"), std::string::npos) << text.output;
  EXPECT_NE(text.output.find("6 cuMemAlloc_v2"), std::string::npos) << text.output;

  const std::string path = testing::TempDir() + "simcuda-" + std::to_string(getpid()) + ".json";
  const Outcome quiet = run("SIMCUDA_LOG=stats:" + path, "allocate");
  EXPECT_EQ(quiet.output.find("simcuda:"), std::string::npos) << quiet.output;
  std::ifstream file(path);
  const auto report = nlohmann::json::parse(file);
  EXPECT_EQ(report.at("calls").at("cuMemAlloc_v2"), 6);
  EXPECT_EQ(report.at("calls").at("cuInit"), 1);
  EXPECT_EQ(report.at("peak_physical_bytes"), 6 * 4096);
  EXPECT_EQ(report.at("peak_mappings"), 0);
  std::remove(path.c_str());
}

TEST(SimcudaEnvironment, UnbackedMemoryIsCountedAndNotTouched) {
  EXPECT_EQ(run("SIMCUDA_BACKING=none", "unbacked").output, "init 0\nalloc 0\nset 0\ntoo much 2\n");
}

TEST(SimcudaEnvironment, WorkThatNeverEndsDoesNotKeepTheProcess) {
  const Outcome outcome = run("SIMCUDA_LOG=stats", "pending");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.output.find("8 cuLaunchHostFunc"), std::string::npos) << outcome.output;
}

TEST(SimcudaEnvironment, AForkedChildIsNotInitialised) {
  const Outcome outcome = run("SIMCUDA_LOG=stats", "fork");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output.find("init 0\nchild alloc 3\nchild init 3\nchild exited 1\nalloc 0\n"),
            0U)
      << outcome.output;
  // One report: the parent's.
  const auto first = outcome.output.find("peak physical");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(outcome.output.find("peak physical", first + 1), std::string::npos);
}

TEST(SimcudaEnvironment, AfterExitHasBegunTheDriverIsGone) {
  EXPECT_EQ(run("SIMCUDA_DEVICES=1", "late").output, "init 0\nlate 4\n");
}

}  // namespace
