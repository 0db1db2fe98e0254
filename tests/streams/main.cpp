// Random programs on simcuda, each twice: natively, where nothing may be found because it is
// correct, and with gmlake in front of it, where nothing may be found because gmlake is. What fails
// is cut down and printed. With the library that has faults each of them must be found so.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <sstream>
#include <string>

#include <CLI/CLI.hpp>

#include "streams/children.h"
#include "streams/generator.h"
#include "streams/model.h"
#include "streams/runner.h"
#include "streams/shrink.h"
#include "support/fault.h"

namespace gmlake::streams {
namespace {

constexpr struct {
  const char* name;
  const char* what;
} kFaults[] = {
#define X(name, what) {#name, what},
    GMLAKE_FAULTS(X)
#undef X
};

constexpr std::string_view kSeed = "seed ";
constexpr std::string_view kFails = "fails: ";
constexpr int kRefused = 2;  // status of a child that was asked for what makes no sense

unsigned long long number(std::uint64_t value) {
  return value;  // as printf has it
}

// In a child: the seeds one after the other, up to the first that fails.
int work(std::uint64_t first, std::uint64_t count) {
  if (!start()) return kRefused;
  for (auto seed = first; seed != first + count; ++seed) {
    std::printf("seed %llu\n", number(seed));
    std::fflush(stdout);  // in case that it crashes
    const auto program = generate(seed);
    auto why = what_is_wrong(program).value_or("");
    if (why.empty()) why = run(program, seed);
    if (why.empty()) continue;
    std::printf("fails: %s\n", why.c_str());
    return 1;
  }
  return 0;
}

// The program lacks one operation, and with it an order that it needs; nothing if none was found
// quickly.
std::optional<Program> broken(const Program& program, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int tries = 0; tries < 40; ++tries) {
    auto candidate = without(program, random() % program.size(), 1);
    const auto wrong = what_is_wrong(candidate);
    if (wrong && wrong->find(kNoOrder) != wrong->npos) return candidate;
  }
  return {};
}

// In a child: of programs that the model rejects, those that simcuda rejects as well.
int work_on_broken(std::uint64_t first, std::uint64_t count) {
  if (!start()) return kRefused;
  for (auto seed = first; seed != first + count; ++seed) {
    const auto program = broken(generate(seed), seed);
    if (program) std::printf(run(*program, seed).empty() ? "missed\n" : "rejected\n");
  }
  return 0;
}
int work_on_file(const std::string& path, std::uint64_t seed) {
  std::ifstream file(path);
  const auto program = parse(file);
  if (!program || what_is_wrong(*program) || !start()) return kRefused;
  const auto why = run(*program, seed);
  if (!why.empty()) std::printf("fails: %s\n", why.c_str());
  return why.empty() ? 0 : 1;
}

struct Failure {
  std::uint64_t seed = 0;
  std::string library;
  std::string why;
};

// What the child says of the seed that failed.
Failure failure_of(const Child& child, const Outcome& outcome) {
  Failure failure{child.seed, child.library, "the process ends with "};
  failure.why += std::to_string(outcome.status);
  std::istringstream lines(outcome.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kSeed)) failure.seed = std::stoull(line.substr(kSeed.size()));
    if (line.starts_with(kFails)) failure.why = line.substr(kFails.size());
  }
  return failure;
}

struct Search {
  std::uint64_t first = 0;
  std::uint64_t programs = 0;
  std::vector<std::string> libraries;
  std::string fault;

  // A program that fails; nothing if none does.
  std::optional<Failure> run() const {
    std::optional<Failure> failure;
    std::uint64_t seed = first;
    std::size_t library = 0;
    run_children(
        [&](Child& child) {
          if (seed >= first + programs) return false;
          const auto count = std::min(kBatch - seed % kBatch, first + programs - seed);
          child = {seed,
                   libraries[library],
                   fault,
                   {"--work", std::to_string(seed), "--count", std::to_string(count)}};
          if (++library == libraries.size()) seed += count, library = 0;
          return true;
        },
        [&](const Child& child, const Outcome& outcome) {
          if (outcome.status == 0) return true;
          auto found = failure_of(child, outcome);
          if (!failure || found.seed < failure->seed) failure = std::move(found);
          return false;
        });
    return failure;
  }
};

// Cuts the program down, and leaves it in a file.
void explain(const Failure& failure, const std::string& fault) {
  std::printf("seed %llu %s gmlake: %s\n", number(failure.seed),
              failure.library.empty() ? "without" : "with", failure.why.c_str());
  std::fflush(stdout);  // what follows takes long if it hangs
  const std::string path = "streams-" + std::to_string(failure.seed) + ".txt";
  // The settings go by the seed too.
  const Child child{failure.seed,
                    failure.library,
                    fault,
                    {"--file", path, "--seed", std::to_string(failure.seed)}};
  const auto fails = [&](const Program& program) {
    std::ofstream(path) << to_text(program);
    const auto status = run_child(child).status;
    return status != 0 && status != kRefused;
  };
  const auto program = generate(failure.seed);
  if (!fails(program)) {
    std::printf("not by itself: with those of its batch that come before\n");
    return;
  }
  const auto least = shrink(program, fails);
  std::ofstream(path) << to_text(least);
  std::printf(
      "%zu of its %zu operations are enough (kind, thread, a, b, c, overlap, inner):\n%s%srepeat: "
      "%s\n",
      least.size(), program.size(), to_text(least).c_str(), run_child(child).output.c_str(),
      command_of(child).c_str());
}

int check_all(const Search& search) {
  const auto failure = search.run();
  if (failure)
    explain(*failure, search.fault);
  else
    std::printf("%llu programs: nothing found\n", number(search.programs));
  return failure ? 1 : 0;
}

// What the model takes for wrong mostly is: simcuda says so too. Not always, as a program is not
// to rely on all that orders work in fact, such as what a query answered or cudaFree's wait.
int check_model(const Search& search) {
  unsigned rejected = 0;
  unsigned missed = 0;
  const auto count = [](const std::string& text, const std::string& word) {
    unsigned times = 0;
    for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++times;
    return times;
  };
  std::uint64_t seed = search.first;
  run_children(
      [&](Child& child) {
        if (seed >= search.first + search.programs) return false;
        child = {seed, "", "", {"--work-on-broken", std::to_string(seed)}};
        child.arguments.insert(child.arguments.end(), {"--count", std::to_string(kBatch)});
        seed += kBatch;
        return true;
      },
      [&](const Child&, const Outcome& outcome) {
        rejected += count(outcome.output, "rejected\n");
        missed += count(outcome.output, "missed\n");
        return true;
      });
  std::printf("%u programs that the model rejects: simcuda rejects %u\n", rejected + missed,
              rejected);
  return rejected >= 9 * missed && rejected != 0 ? 0 : 1;
}

// Each fault is found, and nothing with none of them.
int find_faults(Search search) {
  unsigned missed = 0;
  for (const auto& fault : kFaults) {
    search.fault = fault.name;
    const auto failure = search.run();
    if (failure)
      std::printf("%-24s seed %5llu  %s\n", fault.name, number(failure->seed),
                  failure->why.c_str());
    else
      ++missed, std::printf("%-24s NOT FOUND\n", fault.name);
    std::fflush(stdout);
  }
  std::printf("%zu faults, %u of them not found in %llu programs\n", std::size(kFaults), missed,
              number(search.programs));
  search.fault.clear();
  const int without = check_all(search);
  return missed != 0 ? 1 : without;
}

int list_faults() {
  for (const auto& fault : kFaults) std::printf("| `%s` | %s |\n", fault.name, fault.what);
  return 0;
}

}  // namespace
}  // namespace gmlake::streams

int main(int count, char** arguments) {
  using namespace gmlake::streams;
  CLI::App app{"Random programs of many streams on simcuda, with gmlake in front of them."};
  Search search;
  std::string library;
  std::string file;
  std::uint64_t seed = 0;
  std::uint64_t batch = 1;
  bool native = false;
  bool faults = false;
  bool models = false;
  bool listed = false;
  app.add_option("--programs", search.programs, "how many")->default_val(1000);
  app.add_option("--first", search.first, "the first one's seed")->default_val(0);
  app.add_option("--library", library, "libgmlake.so, to be preloaded");
  app.add_flag("--native", native, "without it, too");
  app.add_option("--fault", search.fault, "of the library that has faults");
  app.add_flag("--faults", faults, "each of them, one after the other, must be found");
  app.add_flag("--broken", models, "programs that lack an order are found, without gmlake");
  app.add_flag("--list", listed, "say which there are");
  const auto* print = app.add_option("--print", seed, "print the program of that seed");
  const auto* works = app.add_option("--work", seed, "run programs here, from that seed on");
  const auto* breaks = app.add_option("--work-on-broken", seed, "the same that lack an order");
  app.add_option("--count", batch, "so many")->default_val(1);
  const auto* from_file = app.add_option("--file", file, "run a printed program here");
  app.add_option("--seed", seed, "with that seed of simcuda's");
  CLI11_PARSE(app, count, arguments);
  if (listed) return list_faults();
  if (*print) return std::printf("%s", to_text(generate(seed)).c_str()), 0;
  if (*works) return work(seed, batch);
  if (*breaks) return work_on_broken(seed, batch);
  if (*from_file) return work_on_file(file, seed);
  if (native || library.empty()) search.libraries.emplace_back();
  if (!library.empty()) search.libraries.push_back(library);
  if (models) return check_model(search);
  return faults ? find_faults(search) : check_all(search);
}
