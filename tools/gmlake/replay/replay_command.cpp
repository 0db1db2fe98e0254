// `gmlake replay`: runs the pool on recorded or generated traces, on a simulated device.
#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "command.h"
#include "output.h"
#include "replay/lagging_device.h"
#include "replay/progress.h"
#include "replay/replay.h"
#include "replay/report.h"
#include "replay/settings.h"
#include "replay/smallest_device.h"
#include "trace/exit_codes.h"
#include "trace/reader.h"

namespace gmlake::tool {
namespace {

struct ReplayOptions {
  std::vector<std::string> traces, settings;
  std::string memory = "80GiB", config_file, driver, lag = "recorded";
  replay::Manner manner;
  int device = -1;
  bool json = false, allow_oom = false, smallest_device = false;
};

// The traces one by one: at most one of them is in memory, and standard input, which is read once.
class Traces {
 public:
  explicit Traces(const ReplayOptions& options) : names_(options.traces) {
    if (options.device >= 0) reading_.device = options.device;
  }
  // The error names the file.
  trace::Expected<const trace::Trace*> read(std::size_t index) {
    const auto& name = names_[index];
    auto& kept = name == kStandardInput ? standard_input_ : last_;
    if (!kept || (&kept == &last_ && last_name_ != name)) {
      kept.reset();
      auto trace = trace::read(name, reading_);
      if (!trace) return tl::unexpected(trace.error());
      kept = std::move(*trace);
      if (&kept == &last_) last_name_ = name;
    }
    return &*kept;
  }

 private:
  static constexpr std::string_view kStandardInput = "-";
  const std::vector<std::string>& names_;
  trace::ReadOptions reading_;
  std::string last_name_;
  std::optional<trace::Trace> last_, standard_input_;
};

// A number of rows, never, or recorded.
std::optional<std::uint64_t> parse_lag(const std::string& text) {
  if (text == "recorded") return replay::LaggingDevice::kRecorded;
  if (text == "never") return replay::LaggingDevice::kNever;
  std::uint64_t rows = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, rows);
  if (error != std::errc{} || stop != end || rows >= replay::LaggingDevice::kNever) return {};
  return rows;
}

trace::Expected<replay::Result> replay_shown(const std::string& name, const trace::Trace& trace,
                                             const replay::SimulatedDevice& device,
                                             const config::Config& config, replay::Manner manner) {
  const replay::Interrupt interrupt;
  replay::Progress progress(name, manner.loops, trace.events.size());
  manner.go_on = [&](unsigned loop, std::size_t event) {
    progress.at(loop, event);
    return !replay::Interrupt::came();
  };
  return replay::replay(trace, device, config, manner);
}

int run(const ReplayOptions& options) {
  constexpr Bytes kPage = 2 * MiB;  // the simulated device has whole ones
  const auto memory = parse_bytes(options.memory);
  if (!memory || *memory < kPage || *memory > TiB)
    return complain(
        "replay", kUsage,
        fmt::format("--device-memory is '{}'; write a size from 2MiB to 1TiB, such as 80GiB",
                    options.memory));
  const auto lag = parse_lag(options.lag);
  if (!lag)
    return complain(
        "replay", kUsage,
        fmt::format("--lag is '{}'; write a number of rows, never, or recorded", options.lag));
  auto manner = options.manner;
  manner.lag = *lag;
  const auto config = replay::load_settings(options.config_file, options.settings);
  if (!config) return complain("replay", kBadConfiguration, config.error());
  log::configure(config->log_level, config->log_file);

  const auto library =
      options.driver.empty() ? replay::SimulatedDevice::default_library() : options.driver;
  Traces traces(options);
  // Before there is a device in this process.
  std::vector<std::optional<Bytes>> smallest(options.traces.size());
  for (std::size_t i = 0; options.smallest_device && i < smallest.size(); ++i) {
    const auto trace = traces.read(i);
    if (!trace) return complain("replay", kBadData, trace.error());
    const auto found = replay::smallest_device(**trace, library, *config, manner, *memory);
    if (!found) return complain("replay", kUnavailable, options.traces[i] + ": " + found.error());
    smallest[i] = *found;
  }
  const auto device = replay::SimulatedDevice::open(library, round_down(*memory, kPage));
  if (!device) return complain("replay", kUnavailable, device.error());

  replay::NamedResults results;
  int code = kSuccess;
  for (std::size_t i = 0; i < options.traces.size(); ++i) {
    const auto& name = options.traces[i];
    const auto trace = traces.read(i);
    if (!trace) return complain("replay", kBadData, trace.error());
    if ((*trace)->lost != 0 || (*trace)->cut)
      (void)complain(
          "replay", kSuccess,
          fmt::format("{}: not all is in it: {} events were lost while it was "
                      "recorded{}; the figures are of the rest",
                      name, (*trace)->lost, (*trace)->cut ? ", and its end is missing" : ""));
    auto result = replay_shown(name, **trace, **device, *config, manner);
    if (!result) return complain("replay", kUnavailable, name + ": " + result.error());
    result->smallest_device = smallest[i];
    if (result->out_of_memory) {
      const int wanted = options.allow_oom ? kSuccess : kOutOfMemory;
      code =
          std::max(code, complain("replay", wanted,
                                  fmt::format("{}: out of memory: {}; try a larger --device-memory",
                                              name, result->picture)));
    }
    const bool interrupted = result->interrupted;
    if (interrupted)
      code = complain("replay", kInterrupted,
                      fmt::format("{}: interrupted: {} of {} loops were finished", name,
                                  result->stitches_per_loop.size(), manner.loops));
    if (!interrupted || !result->stitches_per_loop.empty())
      results.emplace_back(name, std::move(*result));
    if (interrupted) break;
  }
  std::cout << (options.json ? replay::json(results, *config) : replay::table(results, *config));
  return code;
}

}  // namespace

void add_replay(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReplayOptions>();
  auto* command =
      app.add_subcommand("replay", "Run the pool on allocation traces, on a simulated device");
  command
      ->add_option(
          "trace", options->traces,
          "allocation logs (CSV, also gzip) or PyTorch memory snapshots; - is standard input")
      ->type_name("FILE")
      ->required();
  command->add_option("--device-memory", options->memory, "memory of the simulated device")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--loops", options->manner.loops, "replay each trace so often in one pool")
      ->check(CLI::Range(1U, 1000000U))
      ->capture_default_str();
  command
      ->add_option(
          "--lag", options->lag,
          "a stream's work is complete so many rows of the trace later; 'never': only once "
          "the host has waited for it; 'recorded': as it was where it was recorded, otherwise 0")
      ->type_name("ROWS")
      ->capture_default_str();
  command->add_flag("--one-stream", options->manner.one_stream,
                    "all streams of the trace are one: nothing is left to put in order");
  command
      ->add_option("--config", options->config_file, "the configuration; otherwise GMLAKE_CONFIG")
      ->type_name("FILE");
  command
      ->add_option("--set", options->settings,
                   "an option of the configuration, section.key=value; repeatable")
      ->type_name("OPTION")
      ->allow_extra_args(false);
  command
      ->add_option("--device", options->device,
                   "the device of the trace; otherwise the first with events")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--driver", options->driver,
                   "simcuda's libcuda.so.1, if it is not beside this program")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "an array with one object per trace");
  command->add_flag("--smallest-device", options->smallest_device,
                    "also look for the smallest device in which all loops finish, up to "
                    "--device-memory: some 10 to 20 replays more");
  command->add_flag("--allow-oom", options->allow_oom, "exit 0 even if a trace does not fit");
  command->footer(
      "Examples:\n"
      "  gmlake replay step.csv.gz --loops 8\n"
      "  gmlake replay snapshot.pickle --device-memory 24GiB --set stitch.enabled=false --json\n"
      "  gmlake replay step.csv.gz --loops 4 --smallest-device\n"
      "  zstd -dc step.csv.zst | gmlake replay -\n"
      "\n"
      "Exit codes: 0 success, 1 a trace did not fit into the device, 64 wrong command line, 65 a "
      "file is no "
      "trace, 69 no simulated device, 78 wrong configuration, 130 interrupted: loops that were "
      "finished are printed.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace gmlake::tool
