// The proof that simcuda's checks find what they are for and nothing else: every wrong program is
// found within a few seeds of the deterministic mode, by the finding that tells it, and its correct
// twin runs clean with very many seeds and with real threads.
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "program.h"

namespace gmlake::mutants {
namespace {

constexpr std::uint64_t kSeedsToFind = 16;
constexpr int kExitStatus = 97;  // simcuda's own, of a process with findings
constexpr std::string_view kFinding = "simcuda: finding: ";

struct Limits {
  std::uint64_t seeds = 1000;  // of a correct twin
  unsigned threaded = 20;      // its runs with threads
};

Pairs all_pairs() {
  Pairs all;
  for (const Pairs& some :
       {order_pairs(), host_pairs(), lifetime_pairs(), mapping_pairs(), handle_pairs(),
        leak_pairs(), peer_pairs(), graph_pairs(), shim_pairs(), preload_pairs()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

// The finding in that output which tells the program; empty if there is none.
std::string finding_of(const Pair& pair, std::string_view output) {
  while (!output.empty()) {
    const auto line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    if (line.starts_with(kFinding) && line.find(pair.finds) != line.npos)
      return std::string(line.substr(kFinding.size()));
  }
  return {};
}

// The wrong program: one line about how it is found. False if it is not.
bool is_found(const Pair& pair) {
  std::vector<Run> runs;
  for (std::uint64_t seed = 0; seed < kSeedsToFind; ++seed)
    runs.push_back({&pair, Twin::wrong, seed});
  const auto outcomes = run_all(runs);
  std::size_t first = runs.size();
  std::size_t count = 0;
  std::string finding;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto text = finding_of(pair, outcomes[i].output);
    if (text.empty() || outcomes[i].status != kExitStatus) continue;
    if (count++ == 0) {
      first = i;
      finding = text;
    }
  }
  if (count == 0) {
    std::printf(
        "%s: NOT FOUND with %zu seeds; there should be '%s'. Seed 0 ends with %d:\n%s"
        "    repeat: %s\n",
        pair.name, runs.size(), pair.finds, outcomes[0].status, outcomes[0].output.c_str(),
        command_of(runs[0]).c_str());
    return false;
  }
  std::printf("%-42s seed %2zu, %2zu of %zu  %s\n", pair.name, first, count, runs.size(),
              finding.c_str());
  return true;
}

// The correct twin. False, with a line for the first few runs that are not clean.
bool is_clean(const Pair& pair, const Limits& limits) {
  std::vector<Run> runs;
  for (std::uint64_t seed = 0; seed < limits.seeds; ++seed)
    runs.push_back({&pair, Twin::correct, seed});
  for (unsigned i = 0; i < limits.threaded; ++i) runs.push_back({&pair, Twin::correct});
  const auto outcomes = run_all(runs);
  std::size_t dirty = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (outcomes[i].status == 0 && outcomes[i].output.empty()) continue;
    if (++dirty <= 3)
      std::printf("%s: the correct twin ends with %d:\n%s    repeat: %s\n", pair.name,
                  outcomes[i].status, outcomes[i].output.c_str(), command_of(runs[i]).c_str());
  }
  if (dirty != 0)
    std::printf("%s: %zu of %zu runs of the correct twin are not clean\n", pair.name, dirty,
                runs.size());
  return dirty == 0;
}

int prove(const Pairs& pairs, const Limits& limits) {
  std::size_t wrong = 0;
  for (const Pair& pair : pairs) {
    const bool found = is_found(pair);
    const bool clean = is_clean(pair, limits);
    if (!found || !clean) ++wrong;
  }
  std::printf(
      "%zu pairs, %zu of them not as they should be; correct twins ran with %llu seeds and "
      "%u times with threads\n",
      pairs.size(), wrong, static_cast<unsigned long long>(limits.seeds), limits.threaded);
  return wrong == 0 && !pairs.empty() ? 0 : 1;
}

void list(const Pairs& pairs) {
  for (const Pair& pair : pairs) std::printf("| `%s` | %s |\n", pair.name, pair.about);
}

}  // namespace
}  // namespace gmlake::mutants

int main(int count, char** arguments) {
  using namespace gmlake::mutants;
  setvbuf(stdout, nullptr, _IOLBF, 0);  // what is buffered would be a child's to write, too
  Limits limits;
  std::string name;
  std::uint64_t seed = 0;
  CLI::App app{
      "Wrong programs that simcuda's checks find, and correct ones in which they find nothing."};
  bool listed = false;
  bool wrong = false;
  bool correct = false;
  app.add_flag("--list", listed, "say what there is, and run nothing");
  const auto* named = app.add_option("--program", name, "this pair only, or those that begin so");
  app.add_flag("--wrong", wrong, "run its wrong program in this process");
  app.add_flag("--correct", correct, "run its correct program in this process");
  const auto* seeded = app.add_option("--seed", seed, "with this seed; otherwise with threads");
  app.add_option("--seeds", limits.seeds, "seeds for each correct program")->capture_default_str();
  app.add_option("--threaded", limits.threaded, "runs of each with threads")->capture_default_str();
  CLI11_PARSE(app, count, arguments);

  Pairs pairs = all_pairs();
  if (*named)
    std::erase_if(pairs,
                  [&](const Pair& pair) { return !std::string_view(pair.name).starts_with(name); });
  if (listed) {
    list(pairs);
    return 0;
  }
  if (!wrong && !correct) return prove(pairs, limits);
  const auto pair =
      std::find_if(pairs.begin(), pairs.end(), [&](const Pair& one) { return one.name == name; });
  if (pair == pairs.end()) {
    std::fprintf(stderr, "mutants: --program: there is no '%s'; see --list\n", name.c_str());
    return 2;
  }
  Run run{&*pair, wrong ? Twin::wrong : Twin::correct};
  if (*seeded) run.seed = seed;
  become(run);
}
