// `gmlake trace`: generates allocation traces of transformer workloads, and says what is in a
// trace.
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "command.h"
#include "output.h"
#include "trace/adversarial_command.h"
#include "trace/exit_codes.h"
#include "trace/export_command.h"
#include "trace/generate/generate.h"
#include "trace/info.h"
#include "trace/reader.h"

namespace gmlake::tool {
namespace {

using namespace trace::generate;

struct InfoOptions {
  std::vector<std::string> files;
  int device = -1;
  bool json = false;
};

int info(const InfoOptions& options) {
  std::string out;
  for (const auto& file : options.files) {
    trace::ReadOptions reading;
    if (options.device >= 0) reading.device = options.device;
    const auto read = trace::read(file, reading);
    if (!read) return complain("trace", kBadData, read.error());
    const auto summary = trace::summarize(*read);
    if (!out.empty()) out += options.json ? "," : "\n";
    out += options.json ? trace::info_json(file, *read, summary)
                        : trace::info_text(file, *read, summary);
  }
  std::cout << (options.json ? "[" + out + "]\n" : out);
  return kSuccess;
}

void add_info(CLI::App& trace, int& exit_code) {
  auto options = std::make_shared<InfoOptions>();
  auto* command =
      trace.add_subcommand("info", "Say what a trace holds: peak, sizes, lifetimes, streams");
  command
      ->add_option(
          "trace", options->files,
          "allocation logs (CSV, also gzip) or PyTorch memory snapshots; - is standard input")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--device", options->device,
                   "the device to look at; otherwise the first with events")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options->json, "an array with one object per trace");
  command->footer(
      "Example:\n"
      "  gmlake trace info step.csv.gz\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 65 a file is no trace.");
  command->callback([options, &exit_code] { exit_code = info(*options); });
}

struct GenerateOptions {
  Workload workload;
  std::string model = "gpt2-medium", output;
  bool no_dropout = false;
};

int run_generate(GenerateOptions& options, const CLI::App& command) {
  auto& workload = options.workload;
  auto shape = *preset(options.model);  // the command line allows known names only
  const auto override_with = [&](const char* name, std::uint64_t& field, std::uint64_t value) {
    if (command.count(name) > 0) field = value;
  };
  const auto& given = workload.shape;
  override_with("--layers", shape.layers, given.layers);
  override_with("--hidden", shape.hidden, given.hidden);
  override_with("--heads", shape.heads, given.heads);
  override_with("--ffn", shape.ffn, given.ffn);
  override_with("--vocab", shape.vocabulary, given.vocabulary);
  override_with("--experts", shape.experts, given.experts);
  // Without a word on them, the heads of keys and values and the inner width follow.
  if (command.count("--heads") > 0) shape.kv_heads = shape.heads;
  if (command.count("--hidden") > 0 && command.count("--ffn") == 0) shape.ffn = 4 * shape.hidden;
  override_with("--kv-heads", shape.kv_heads, given.kv_heads);
  shape.context = std::max(shape.context, workload.sequence);
  workload.shape = shape;
  workload.dropout = !options.no_dropout && !shape.gated;
  if (const auto wrong = problem(workload)) return complain("trace", kUsage, *wrong);

  trace::CsvWriter writer;
  if (const auto opened = writer.open(options.output); !opened)
    return complain("trace", kCanNotWrite, opened.error());
  generate(workload, writer);
  if (const auto closed = writer.close(); !closed)
    return complain("trace", kCanNotWrite, closed.error());
  return kSuccess;
}

template <typename Enum>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Enum& value,
                        const std::map<std::string, Enum>& choices, const std::string& help) {
  std::string names;
  for (const auto& [text, meaning] : choices) names += (names.empty() ? "" : "|") + text;
  return command.add_option(name, value, help)
      ->type_name(names)
      ->transform(CLI::CheckedTransformer(choices).description(""));
}

void add_model_options(CLI::App& command, GenerateOptions& options) {
  auto& shape = options.workload.shape;
  command.add_option("--model", options.model, "a known model; the options below change its shape")
      ->check(CLI::IsMember(preset_names()))
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--layers", shape.layers, "transformer layers");
  command.add_option("--hidden", shape.hidden, "width of the model");
  command.add_option("--heads", shape.heads, "attention heads");
  command.add_option("--kv-heads", shape.kv_heads,
                     "heads of keys and values, shared by groups of heads");
  command.add_option("--ffn", shape.ffn, "inner width of the feed-forward network");
  command.add_option("--vocab", shape.vocabulary, "tokens in the vocabulary");
  command.add_option("--experts", shape.experts,
                     "experts in each layer, each token goes to two; 0: dense");
}

void add_workload_options(CLI::App& command, GenerateOptions& options) {
  auto& w = options.workload;
  add_choice(
      command, "--mode", w.mode,
      {{"training", Mode::training}, {"inference", Mode::inference}, {"pipeline", Mode::pipeline}},
      "training steps, forward passes, or operations in turn, each on a stream of its own "
      "(training)");
  command.add_option("--sequence", w.sequence, "tokens in a sequence")->capture_default_str();
  command.add_option("--batch", w.batch, "sequences in a step; with --kv-cache requests at once")
      ->capture_default_str();
  command.add_option("--iterations", w.iterations, "steps")->capture_default_str();
  add_choice<Bytes>(command, "--dtype", w.element, {{"fp32", 4}, {"fp16", 2}, {"bf16", 2}},
                    "of parameters and activations (fp32)");
  add_choice(command, "--attention", w.attention,
             {{"eager", Attention::eager}, {"fused", Attention::fused}},
             "with all its temporaries, or one kernel (eager)");
  add_choice(command, "--optimizer", w.optimizer,
             {{"sgd", Optimizer::sgd}, {"adam", Optimizer::adam}, {"adamw", Optimizer::adamw}},
             "states in fp32, made at the first step (adamw)");
  command.add_flag("--foreach", w.foreach_optimizer,
                   "the optimizer's temporaries for all parameters at once");
  command.add_flag("--clip-gradients", w.clip_gradients, "norms of the gradients before each step");
  add_choice(command, "--gradients", w.gradients,
             {{"freed", AfterStep::freed}, {"kept", AfterStep::kept}},
             "after the step: freed, or kept and zeroed (freed)");
  add_choice(
      command, "--recompute", w.recompute,
      {{"none", Recompute::none}, {"full", Recompute::full}, {"selective", Recompute::selective}},
      "drop and recompute whole layers, or the attention only (none)");
  command.add_option("--lora", w.lora_rank,
                     "train low-rank adapters of this rank only; 0: everything");
  add_choice(command, "--offload", w.offload,
             {{"none", Offload::none},
              {"optimizer", Offload::optimizer},
              {"activations", Offload::activations}},
             "stream states or saved activations through a copy stream (none)");
  add_choice(command, "--kv-cache", w.kv_cache,
             {{"none", KvCache::none}, {"growing", KvCache::growing}, {"paged", KvCache::paged}},
             "inference: serve requests that come and go (none)");
  add_choice(
      command, "--variable-sequence", w.lengths,
      {{"fixed", Lengths::fixed}, {"random", Lengths::random}, {"bucketed", Lengths::bucketed}},
      "another length each step (fixed)");
  command
      .add_option("--streams", w.streams,
                  "training: the gradients' reduction on the others; inference: steps in turn; "
                  "pipeline: one for each stage")
      ->capture_default_str();
  command.add_option("--depth", w.depth, "pipeline: slots between two stages")
      ->capture_default_str();
  add_choice(command, "--wait-for", w.wait_for,
             {{"neighbours", WaitFor::neighbours}, {"round", WaitFor::round}},
             "pipeline: a stage waits for its neighbours' events, or also for all that the round "
             "before did (neighbours)");
  command.add_flag("--no-dropout", options.no_dropout, "leave dropout out where the model has it");
  command.add_option("--seed", w.seed, "of everything random; the same seed gives the same bytes")
      ->capture_default_str();
  command.add_flag("--keep", w.keep, "leave what is live at the end instead of freeing it");
}

void add_generate(CLI::App& trace, int& exit_code) {
  auto options = std::make_shared<GenerateOptions>();
  auto* command =
      trace.add_subcommand("generate", "Write the allocation trace of a transformer workload");
  add_model_options(*command, *options);
  add_workload_options(*command, *options);
  command->add_option("--output", options->output, "the file; .gz compresses, - is stdout")
      ->type_name("FILE")
      ->required();
  command->footer(
      "Examples:\n"
      "  gmlake trace generate --model gpt2-medium --sequence 512 --output step.csv.gz\n"
      "  gmlake trace generate --model llama-7b --dtype bf16 --lora 16 --recompute full "
      "--variable-sequence random --output - | head\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 73 the file can not be written.");
  command->callback(
      [options, command, &exit_code] { exit_code = run_generate(*options, *command); });
}

}  // namespace

void add_trace(CLI::App& app, int& exit_code) {
  auto* trace = app.add_subcommand("trace", "Generate, inspect and export allocation traces");
  trace->require_subcommand(1);
  trace->footer(
      "Examples:\n"
      "  gmlake trace generate --model gpt2-medium --output step.csv.gz\n"
      "  gmlake trace adversarial checkerboard --output holes.csv.gz\n"
      "  gmlake trace info step.csv.gz\n"
      "  gmlake trace export --chrome step.json step.csv.gz\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line; `gmlake trace COMMAND --help` has the "
      "others.");
  add_generate(*trace, exit_code);
  add_adversarial(*trace, exit_code);
  add_info(*trace, exit_code);
  add_export(*trace, exit_code);
}

}  // namespace gmlake::tool
