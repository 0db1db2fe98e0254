#include "streams/children.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <thread>
#include <utility>

namespace gmlake::streams {
namespace {

constexpr unsigned kSecondsOfAProcess = 120;  // then it hangs

using Settings = std::vector<std::pair<const char*, std::string>>;

// What the programs meet in turn: much memory and little, each proof switched off, each way to free
// without a stream, stitches wherever they are possible, cudaMalloc in the one stream's order, a
// driver that can not record on contexts, and loans for all streams.
// Little: the pool mostly can not grow; what the driver's own allocator has left does not count.
const Settings kTight{{"SIMCUDA_FAULTS", "cuMemCreate:p=0.8=2"}};
const Settings kStitching{{"GMLAKE_STITCH_WORTH", "0"},
                          {"GMLAKE_STITCH_TIME_BUDGET", "1"},
                          {"GMLAKE_STITCH_GROWTH_SLACK", "0"},
                          {"GMLAKE_STITCH_MAX_WINDOWS", "1"},
                          {"GMLAKE_POOL_LARGEST_CHUNK", "2MiB"}};
const Settings kSingle{{"GMLAKE_STREAMS_SINGLE_STREAM", "true"}};
const Settings kLoans{{"GMLAKE_STREAMS_LEND_AFTER", "0"}};
Settings both(Settings one, const Settings& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}
const Settings kTurns[] = {
    {},
    kTight,
    kStitching,
    both(kTight, kStitching),
    both(kTight, {{"GMLAKE_STREAMS_INSERT_WAITS", "false"}}),
    {{"GMLAKE_STREAMS_PENDING_BYTES", "0"}},
    {{"GMLAKE_STREAMS_REUSE_COMPLETED", "false"}},
    {{"GMLAKE_STREAMS_FREE", "synchronous"}},
    kSingle,
    both(both(kTight, kStitching), kSingle),
    {{"SIMCUDA_FAULTS", "cuCtxRecordEvent:every=1=801"}},
    kLoans,
    both(kTight, kLoans),
};

// Now and then the thread that gives memory back looks at what the programs have ended as often as
// it can. What it comes between is chance, so not where a fault is to be found by its seed.
constexpr unsigned kKeptTurns = 3;

Settings settings_of(const Child& child) {
  Settings all{{"SIMCUDA_SEED", std::to_string(child.seed)},
               {"SIMCUDA_CHECKS", "order,memory,handles"},
               {"SIMCUDA_MEMORY", "4GiB"},
               {"SIMCUDA_EXIT_STATUS", "0"}};
  if (child.library.empty()) return all;
  const char* first = std::getenv("GMLAKE_PRELOAD_FIRST");  // a sanitizer's library
  all.emplace_back("LD_PRELOAD", (first ? first + std::string(" ") : "") + child.library);
  all.emplace_back("GMLAKE_STATS_REPORT", "none");
  all.emplace_back("GMLAKE_STREAMS_ASK_AGAIN", "0");  // a run does not depend on the time it takes
  if (!child.fault.empty())
    all.emplace_back("FAULTY_GMLAKE", child.fault);
  else if (child.seed / kBatch % kKeptTurns == 0)
    all.emplace_back("GMLAKE_POOL_RELEASE_AFTER", "0.001");
  return both(all, kTurns[child.seed / kBatch % std::size(kTurns)]);
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(2);
}

[[noreturn]] void become(const Child& child, int output) {
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  alarm(kSecondsOfAProcess);
  for (const auto& [name, value] : settings_of(child)) setenv(name, value.c_str(), 1);
  static const std::string kSelf = "/proc/self/exe";
  std::vector<char*> arguments{const_cast<char*>("streams_programs")};
  for (const auto& argument : child.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(kSelf.c_str(), arguments.data());
  fail("execv");
}

std::string read_whole(int file) {
  std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
  if (pread(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) fail("pread");
  return text;
}

}  // namespace

void run_children(const std::function<bool(Child&)>& next,
                  const std::function<bool(const Child&, const Outcome&)>& done) {
  struct Running {
    Child child;
    int output;  // a file in memory: unlike a pipe no other child can keep it open
  };
  const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
  std::map<pid_t, Running> running;
  bool more = true;
  for (;;) {
    Child child;
    if (more && running.size() < most && (more = next(child))) {
      const int output = memfd_create("output", MFD_CLOEXEC);
      if (output < 0) fail("memfd_create");
      const pid_t pid = fork();
      if (pid < 0) fail("fork");
      if (pid == 0) become(child, output);
      running.emplace(pid, Running{child, output});
      continue;
    }
    if (running.empty()) return;
    int status = 0;
    const pid_t pid = wait(&status);
    if (pid < 0) fail("wait");
    const auto ended = running.extract(pid).mapped();
    const Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                          read_whole(ended.output)};
    close(ended.output);
    more = done(ended.child, outcome) && more;
  }
}

Outcome run_child(const Child& child) {
  Outcome result;
  bool given = false;
  run_children([&](Child& next) { return next = child, !std::exchange(given, true); },
               [&](const Child&, const Outcome& outcome) { return result = outcome, true; });
  return result;
}

std::string command_of(const Child& child) {
  std::string command;
  for (const auto& [name, value] : settings_of(child))
    command += std::string(name) + "='" + value + "' ";
  command += "streams_programs";
  for (const auto& argument : child.arguments) command += ' ' + argument;
  return command;
}

}  // namespace gmlake::streams
