// Asks a CUDA driver what it does where its documentation leaves the question open, and prints a
// line of JSON for each answer.
//
//   what_happens [--list] [PROBE...]
//
// Probes run in child processes, because some of them break their context: a probe that crashes or
// hangs is reported as such and the others still run. Exit status 0 if all of them were asked,
// whatever the answers.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "probe.h"

namespace gpu {
namespace {

constexpr unsigned kSecondsPerProbe = 60;

std::string quoted(const std::string& plain) {
  std::string out = "\"";
  for (char c : plain) {
    if (c == '"' || c == '\\') out += '\\';
    out += c < ' ' ? ' ' : c;
  }
  return out + '"';
}

std::vector<Probe> all_probes() {
  std::vector<Probe> all;
  for (auto part : {mapping_probes(), pointer_probes(), copy_probes(), capture_probes(),
                    order_probes(), ipc_probes(), limit_probes()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

void run(const Probe& probe) {
  alarm(kSecondsPerProbe);
  try {
    if (!probe.alone) {
      static const CUcontext context = open_device();
      (void)context;
    }
    probe.run();
  } catch (const std::exception& failure) {
    answer(probe.name, "failed", failure.what());
  }
}

// Runs probes from `from` on in a child; returns the one after the last that was asked.
std::size_t run_some(const std::vector<Probe>& probes, std::size_t from,
                     volatile std::size_t* now) {
  *now = from;
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) return probes.size();
  if (child == 0) {
    const bool alone = probes[from].alone;
    for (std::size_t i = from; i < probes.size() && probes[i].alone == alone; ++i) {
      *now = i;
      run(probes[i]);
      if (alone) break;
    }
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    answer(probes[*now].name, WTERMSIG(status) == SIGALRM ? "hung" : "crashed",
           strsignal(WTERMSIG(status)));
  }
  return *now + 1;
}

}  // namespace

void answer(const std::string& probe, const std::string& result, const std::string& detail) {
  std::printf("{\"probe\": %s, \"result\": %s, \"detail\": %s}\n", quoted(probe).c_str(),
              quoted(result).c_str(), quoted(detail).c_str());
  std::fflush(stdout);
}

}  // namespace gpu

int main(int argc, char** argv) {
  std::vector<gpu::Probe> chosen;
  for (const auto& probe : gpu::all_probes()) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; ++i) wanted |= std::strcmp(argv[i], probe.name) == 0;
    if (argc == 2 && std::strcmp(argv[1], "--list") == 0) std::puts(probe.name);
    if (wanted) chosen.push_back(probe);
  }
  void* shared =
      mmap(nullptr, sizeof(std::size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 2;
  for (std::size_t i = 0; i < chosen.size();)
    i = gpu::run_some(chosen, i, static_cast<volatile std::size_t*>(shared));
  return 0;
}
