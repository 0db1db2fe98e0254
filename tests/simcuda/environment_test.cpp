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
       {"SIMCUDA_NONSENSE=1",
        "SIMCUDA_MEMORY=many",
        "SIMCUDA_MEMORY=3MiB",
        "SIMCUDA_DEVICES=two",
        "SIMCUDA_DEVICES=17",
        "SIMCUDA_BACKING=disk",
        "SIMCUDA_LOG=loud",
        "SIMCUDA_LOG=stats:",
        "SIMCUDA_SEED=x",
        "SIMCUDA_SEED=-1",
        "SIMCUDA_CHECKS=order,nonsense",
        "SIMCUDA_CHECKS=memory:order",
        "SIMCUDA_EXIT_STATUS=256",
        "SIMCUDA_EXIT_STATUS=-1",
        "SIMCUDA_FAULTS=cuMemCreate",
        "SIMCUDA_FAULTS=cuNoSuch:1=2",
        "SIMCUDA_FAULTS=cuMemCreate:0=2",
        "SIMCUDA_FAULTS=cuMemCreate:1=0",
        "SIMCUDA_FAULTS=cuMemAlloc:1=2",  // the 32-bit one, which is not simulated
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

// Six allocations of 4 KiB: the price of six calls, and none of a MiB.
TEST(SimcudaEnvironment, CallsHaveThePriceThatIsSet) {
  const std::string path = testing::TempDir() + "simcuda-costs-" + std::to_string(getpid());
  const std::string log = path + ".log";
  const auto modelled = [&](const std::string& settings) {
    const Outcome outcome = run(settings + " SIMCUDA_LOG=stats:" + log, "allocate");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    std::ifstream file(log);
    return nlohmann::json::parse(file);
  };
  const auto usual = modelled("SIMCUDA_DEVICES=1");
  EXPECT_EQ(usual.at("modelled_ns").at("cuMemAlloc_v2"), 6 * 30000);
  std::ofstream(path) << R"({"cuMemAlloc_v2": {"call_ns": 7, "unit_ns": 1000}})";
  const auto other = modelled("SIMCUDA_COSTS=" + path);
  EXPECT_EQ(other.at("modelled_ns").at("cuMemAlloc_v2"), 6 * 7);
  std::uint64_t sum = 0;
  for (const auto& call : other.at("modelled_ns")) sum += call.get<std::uint64_t>();
  EXPECT_EQ(other.at("modelled_ns_total"), sum);
  for (const char* wrong : {R"([1])", R"({"cuNoSuch": {}})", R"({"cuMemMap": {"call_us": 1}})",
                            R"({"cuMemMap": {"call_ns": -1}})", R"({"cuMemMap": 5})", "{"}) {
    std::ofstream(path) << wrong;
    const Outcome outcome = run("SIMCUDA_COSTS=" + path, "allocate");
    EXPECT_NE(outcome.output.find("simcuda: SIMCUDA_COSTS: " + path), std::string::npos)
        << wrong << ": " << outcome.output;
    EXPECT_NE(outcome.output.find("init 1"), std::string::npos) << outcome.output;
  }
  std::remove(path.c_str());
  std::remove(log.c_str());
}

// Each kind of wrong program with each check alone: only the one that is for it finds it.
TEST(SimcudaEnvironment, ChecksFindWhatTheyAreFor) {
  struct Kind {
    std::string check;
    std::string wrong;
  };
  const Kind kinds[] = {
      {"order", "race"}, {"memory", "kernel"}, {"handles", "refused"}, {"leaks", "leak"}};
  for (const Kind& kind : kinds)
    for (const Kind& other : kinds) {
      const Outcome outcome =
          run("SIMCUDA_SEED=0 SIMCUDA_CHECKS=" + other.check, "wrong-" + kind.wrong);
      const bool finds = other.check == kind.check;
      EXPECT_EQ(outcome.status, finds ? 97 : 3) << other.check << ": " << outcome.output;
      EXPECT_EQ(outcome.output.find("simcuda: finding: [" + other.check + "]") != std::string::npos,
                finds)
          << outcome.output;
    }
}

// With a seed: what races in truth a thread sanitizer would find too.
TEST(SimcudaEnvironment, FindingsAreTheExitStatus) {
  EXPECT_EQ(run("SIMCUDA_SEED=0 SIMCUDA_EXIT_STATUS=5", "wrong-race").status, 5);
  EXPECT_EQ(run("SIMCUDA_SEED=0 SIMCUDA_EXIT_STATUS=0", "wrong-race").status, 3);
  EXPECT_EQ(run("SIMCUDA_SEED=0 SIMCUDA_CHECKS=none SIMCUDA_EXIT_STATUS=5", "wrong-race").status,
            3);
  EXPECT_EQ(run("SIMCUDA_CHECKS=all SIMCUDA_EXIT_STATUS=5", "wrong-refused").status, 5);
}

// Looked for unless told otherwise: order and memory, where there is memory.
TEST(SimcudaEnvironment, ChecksThatAreOnFromTheStart) {
  EXPECT_EQ(run("SIMCUDA_SEED=0 SIMCUDA_DEVICES=1", "wrong-race").status, 97);
  EXPECT_EQ(run("SIMCUDA_DEVICES=1", "wrong-refused").status, 3);
  EXPECT_EQ(run("SIMCUDA_DEVICES=1", "wrong-leak").status, 3);
  EXPECT_EQ(run("SIMCUDA_SEED=0 SIMCUDA_BACKING=none", "wrong-race").status, 3);
  EXPECT_EQ(run("SIMCUDA_SEED=0 SIMCUDA_BACKING=none SIMCUDA_CHECKS=order", "wrong-race").status,
            97);
}

TEST(SimcudaEnvironment, LeaksAreListedAtExit) {
  const Outcome outcome = run("SIMCUDA_CHECKS=all", "wrong-leak");
  EXPECT_EQ(outcome.status, 97);
  for (const std::string left :
       {"1 contexts not destroyed or released", "1 streams not destroyed", "1 events not destroyed",
        "1 physical handles not released (2.000 MiB)", "1 mappings not unmapped",
        "1 address reservations not freed", "1 device allocations not freed (4.883 KiB)",
        "1 host allocations not freed"})
    EXPECT_NE(outcome.output.find("simcuda: finding: [leaks] at exit: " + left + "\n"),
              std::string::npos)
        << left << ": " << outcome.output;
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
