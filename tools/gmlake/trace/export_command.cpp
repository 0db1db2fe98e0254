#include "trace/export_command.h"

#include <memory>
#include <string>

#include "command.h"
#include "output.h"
#include "trace/exit_codes.h"
#include "trace/exports.h"
#include "trace/places.h"
#include "trace/reader.h"

namespace gmlake::tool {
namespace {

struct ExportOptions {
  std::string file, memory_viz, chrome;
  int device = -1;
};

int run_export(const ExportOptions& options) {
  if (options.memory_viz.empty() && options.chrome.empty())
    return complain("trace", kUsage,
                    "export: name what to write: --memory-viz OUT.pickle, --chrome OUT.json, or "
                    "both\nSee gmlake trace export --help.");
  trace::ReadOptions reading;
  reading.stacks = true;
  if (options.device >= 0) reading.device = options.device;
  auto read = trace::read(options.file, reading);
  if (!read) return complain("trace", kBadData, read.error());
  trace::place_blocks(*read);
  if (!options.memory_viz.empty())
    if (const auto done = trace::write_memory_viz(options.memory_viz, *read); !done)
      return complain("trace", kCanNotWrite, done.error());
  if (!options.chrome.empty())
    if (const auto done = trace::write_chrome(options.chrome, options.file, *read); !done)
      return complain("trace", kCanNotWrite, done.error());
  return kSuccess;
}

}  // namespace

void add_export(CLI::App& trace, int& exit_code) {
  auto options = std::make_shared<ExportOptions>();
  auto* command =
      trace.add_subcommand("export", "Write a trace for PyTorch's memory_viz, Chrome or Perfetto");
  command
      ->add_option("trace", options->file,
                   "an allocation log (CSV, also gzip) or a PyTorch memory snapshot; - is standard "
                   "input")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--memory-viz", options->memory_viz,
                   "a memory snapshot, for memory_viz (pickle); .gz compresses, - is stdout")
      ->type_name("FILE");
  command
      ->add_option("--chrome", options->chrome,
                   "trace events, for Perfetto and chrome://tracing (JSON); .gz compresses, - is "
                   "stdout")
      ->type_name("FILE");
  command
      ->add_option("--device", options->device,
                   "the device to export; otherwise the first with events")
      ->check(CLI::NonNegativeNumber);
  command->footer(
      "Examples:\n"
      "  gmlake trace export --memory-viz step.pickle step.csv.gz\n"
      "  gmlake trace export --chrome step.json.gz snapshot.pickle\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 65 the file is no trace, 73 a file can not be "
      "written.");
  command->callback([options, &exit_code] { exit_code = run_export(*options); });
}

}  // namespace gmlake::tool
