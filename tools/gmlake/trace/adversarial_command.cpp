// `gmlake trace adversarial`: writes allocation sequences that are made to fragment.
#include "trace/adversarial_command.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "command.h"
#include "output.h"
#include "trace/exit_codes.h"
#include "trace/generate/adversary.h"

namespace gmlake::tool {
namespace {

using namespace trace::generate;

struct Options {
  Adversary adversary;
  std::string pattern, live = "4GiB", output;
};

int run(Options& options) {
  auto& adversary = options.adversary;
  adversary.pattern = std::find_if(kPatterns.begin(), kPatterns.end(), [&](const PatternName& p) {
                        return p.name == options.pattern;
                      })->pattern;  // the command line allows known names only
  const auto live = parse_bytes(options.live);
  if (!live)
    return complain("trace", kUsage,
                    fmt::format("--live is '{}'; write a size such as 4GiB", options.live));
  adversary.live = *live;
  if (const auto wrong = problem(adversary)) return complain("trace", kUsage, *wrong);

  trace::CsvWriter writer;
  if (const auto opened = writer.open(options.output); !opened)
    return complain("trace", kCanNotWrite, opened.error());
  generate(adversary, writer);
  if (const auto closed = writer.close(); !closed)
    return complain("trace", kCanNotWrite, closed.error());
  return kSuccess;
}

}  // namespace

void add_adversarial(CLI::App& trace, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* command =
      trace.add_subcommand("adversarial", "Write an allocation trace that is made to fragment");
  std::vector<std::string> names;
  std::string patterns = "Patterns:\n";
  for (const auto& [name, text, pattern] : kPatterns) {
    names.emplace_back(name);
    patterns += fmt::format("  {:<13} {}\n", name, text);
  }
  command->add_option("pattern", options->pattern, "which; see below")
      ->check(CLI::IsMember(names))
      ->type_name("PATTERN")
      ->required();
  command->add_option("--live", options->live, "live bytes, which are reached and never exceeded")
      ->type_name("SIZE")
      ->capture_default_str();
  command
      ->add_option("--rounds", options->adversary.rounds, "how often, with other sizes each time")
      ->capture_default_str();
  command
      ->add_option("--seed", options->adversary.seed,
                   "of everything random; the same seed gives the same bytes")
      ->capture_default_str();
  command->add_option("--output", options->output, "the file; .gz compresses, - is stdout")
      ->type_name("FILE")
      ->required();
  command->footer(patterns +
                  "\n"
                  "Example:\n"
                  "  gmlake trace adversarial checkerboard --live 16GiB --output holes.csv.gz\n"
                  "\n"
                  "Exit codes: 0 success, 64 wrong command line, 73 the file can not be written.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace gmlake::tool
