// The options of `gmlake run` and `gmlake record`, and where those of the program begin.
#include <algorithm>
#include <memory>

#include "command.h"
#include "run.h"

namespace gmlake::tool {
namespace {

// The program and its arguments, as take_program found them.
std::vector<std::string>& program() {
  static std::vector<std::string> words;
  return words;
}

// CLI11 does not see the program, so its usage line has to be told.
class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* command, std::string) const override {
    return "Usage: gmlake " + command->get_name() + " [OPTIONS] [--] PROGRAM [ARGUMENTS...]\n";
  }
};

void add_run_options(CLI::App* command, const std::shared_ptr<RunOptions>& options) {
  command->add_flag(
      "--pytorch", options->pytorch,
      "a PyTorch program: set what gives its tensors to gmlake, for the torch that is "
      "installed, and say so in one line");
  command->add_option("--config", options->config_file, "configuration file (GMLAKE_CONFIG)")
      ->type_name("FILE");
  command
      ->add_option("--set", options->settings, "one option of the configuration; may be repeated")
      ->type_name("SECTION.KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--no-stitch", options->no_stitch, "the same as --set stitch.enabled=false");
  command
      ->add_option("--report", options->report, "write the report at exit to FILE, not to stderr")
      ->type_name("FILE");
  command->add_option("--json", options->json, "write the report at exit to FILE as JSON")
      ->type_name("FILE");
  command
      ->add_option("--library", options->library,
                   "libgmlake.so to use (GMLAKE_LIBRARY; otherwise ../lib beside this program)")
      ->type_name("FILE");
  command->add_flag(
      "--strict", options->strict,
      "if the library can not be configured, end the program with 78 (GMLAKE_STRICT)");
  command->add_flag("--exec", options->exec,
                    "become the program rather than wait for it: no report is recovered then");
  command->add_flag("--dry-run", options->dry_run,
                    "print the environment and the command line instead of running them");
  command->formatter(std::make_shared<Help>());
}

void runs(CLI::App* command, const std::shared_ptr<RunOptions>& options, int& exit_code) {
  command->callback([options, &exit_code] {
    options->program = program();
    exit_code = run(*options);
  });
}

void add_record(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  options->command = "record";
  options->trace = "gmlake-%e-%p.csv.gz";
  auto* command = app.add_subcommand(
      "record", "Run a program as run does, and record its allocations for replay");
  command->add_option("--output,-o", options->trace, "the recording (trace.file)")
      ->type_name("FILE")
      ->capture_default_str();
  add_run_options(command, options);
  command->footer(
      "Examples:\n"
      "  gmlake record -- ./train --epochs 1\n"
      "  gmlake record -o rank-%r.csv.gz --set trace.max_bytes=256MiB -- python train.py\n"
      "  gmlake trace info rank-0.csv.gz && gmlake replay rank-0.csv.gz\n"
      "\n"
      "FILE knows %p %h %r %l %e %t and %%; see docs/traces.md for what is in it.\n"
      "\n"
      "Exit codes: as gmlake run.");
  runs(command, options, exit_code);
}

}  // namespace

void take_program(const CLI::App& app, std::vector<std::string>& words) {
  if (words.empty() || (words[0] != "run" && words[0] != "record")) return;
  const auto* command = app.get_subcommand(words[0]);
  std::size_t end = 1;  // of the options of the command itself
  while (end < words.size() && words[end].starts_with('-') && words[end] != "--") {
    const auto* option = command->get_option_no_throw(words[end]);
    end += option != nullptr && option->get_items_expected_max() > 0 ? 2 : 1;
  }
  end = std::min(end, words.size());
  const std::size_t start = end < words.size() && words[end] == "--" ? end + 1 : end;
  program().assign(words.begin() + static_cast<std::ptrdiff_t>(start), words.end());
  words.resize(end);
}

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  options->command = "run";
  auto* command = app.add_subcommand("run", "Run a program with gmlake in front of it");
  add_run_options(command, options);
  command->footer(
      "Examples:\n"
      "  gmlake run -- ./train --epochs 3\n"
      "  gmlake run --pytorch -- torchrun --nproc-per-node 4 train.py\n"
      "  gmlake run --config gmlake.json --json report-%h-%p.json -- mpirun -n 4 ./solver\n"
      "  gmlake run --dry-run --no-stitch -- ./train\n"
      "\n"
      "Names of FILE for reports know %p %h %r %l %e %t and %%; see docs/configuration.md.\n"
      "\n"
      "--pytorch puts backend:cudaMallocAsync into PYTORCH_CUDA_ALLOC_CONF. That backend has no "
      "MemPool,\n"
      "no memory history and no \"reduce-overhead\" of torch.compile; docs/pytorch.md has other "
      "ways.\n"
      "\n"
      "Exit codes: the program's own; 64 wrong command line, 69 no libgmlake.so, or no torch it "
      "can serve,\n"
      "78 wrong configuration, 126 program not executable, 127 program not found.");
  runs(command, options, exit_code);
  add_record(app, exit_code);
}

}  // namespace gmlake::tool
