#include "program.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

namespace gmlake::mutants {
namespace {

constexpr unsigned kSecondsOfARun = 60;  // then it hangs

struct Child {
  std::size_t run = 0;
  int errors = -1;  // a file in memory: unlike a pipe no other child can keep it open
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(2);
}

std::string read_whole(int file) {
  std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
  if (pread(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) fail("pread");
  return text;
}

pid_t start(const Run& run, int errors) {
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child != 0) return child;
  dup2(errors, STDERR_FILENO);
  alarm(kSecondsOfARun);
  become(run);
}

}  // namespace

void become(const Run& run) {
  setenv("SIMCUDA_CHECKS", "all", 1);
  setenv("SIMCUDA_MEMORY", "64MiB", 1);
  setenv("SIMCUDA_DEVICES", "2", 1);
  if (run.seed)
    setenv("SIMCUDA_SEED", std::to_string(*run.seed).c_str(), 1);
  else
    unsetenv("SIMCUDA_SEED");
  run.pair->run(run.twin);
  std::exit(0);
}

std::vector<Outcome> run_all(const std::vector<Run>& runs) {
  std::vector<Outcome> outcomes(runs.size());
  const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
  std::map<pid_t, Child> children;
  for (std::size_t next = 0; next < runs.size() || !children.empty();) {
    if (next < runs.size() && children.size() < most) {
      const int errors = memfd_create("stderr", MFD_CLOEXEC);
      if (errors < 0) fail("memfd_create");
      children.emplace(start(runs[next], errors), Child{next, errors});
      ++next;
      continue;
    }
    int status = 0;
    const pid_t pid = wait(&status);
    if (pid < 0) fail("wait");
    const Child child = children.at(pid);
    children.erase(pid);
    outcomes[child.run] = {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                           read_whole(child.errors)};
    close(child.errors);
  }
  return outcomes;
}

std::string command_of(const Run& run) {
  std::string command = "simcuda_mutants --program ";
  command += run.pair->name;
  command += run.twin == Twin::wrong ? " --wrong" : " --correct";
  if (run.seed) command += " --seed " + std::to_string(*run.seed);
  return command;
}

}  // namespace gmlake::mutants
