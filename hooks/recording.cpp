#include "hooks/recording.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include "config/environment.h"
#include "config/pattern.h"
#include "config/processes.h"
#include "hooks/holders.h"
#include "hooks/live.h"
#include "stats/file_output.h"
#include "stats/process_stamp.h"
#include "stats/report_name.h"
#include "support/printable.h"

namespace gmlake::hooks {
namespace {

using stats::StreamName;

record::Lane lane_of(const pool::Origin& origin) {
  if (origin.kind == StreamName::Kind::legacy) return record::Lane::legacy;
  if (origin.kind == StreamName::Kind::per_thread) return record::Lane::per_thread;
  return record::Lane::created;
}

// Of whom the recording is: in words of a field.
std::string process_in_words() {
  auto name = config::executable_name();
  for (auto& c : name)
    if (c == ',' || c == '"' || c == '\n' || c == '\r') c = '_';
  return fmt::format("{} {} {}", getpid(), stats::nanoseconds_since_1970() / 1'000'000'000,
                     printable(name));
}

}  // namespace

void note_it(Action action, const pool::Origin& origin, int device, std::uint64_t pointer,
             std::uint64_t amount) {
  if (auto* const ledger = ledger_in_use.load(std::memory_order_acquire))
    note_holder(*ledger, action, origin, pointer, amount);
  if (!record::is_on()) return;
  record::Entry entry;
  entry.action = action;
  entry.pointer = pointer;
  entry.amount = amount;
  entry.caller = handle_number(CallSite::current());
  entry.device = static_cast<std::uint8_t>(device);
  if (origin.host()) {
    entry.handle = handle_number(origin.context);
  } else {
    entry.lane = lane_of(origin);
    entry.stream = origin.stream_id;
    entry.handle = handle_number(origin.stream);
    entry.blocking = origin.blocking;
  }
  record::note(entry);
}

void begin_recording(const config::Config& config, const Live& live) {
  if (config.trace_file.empty()) return;
  const auto path =
      whole_path(config::expand_pattern(config.trace_file, config::process_pattern_values()));
  const stats::Naming naming(path);
  (void)begin_recording_to(live.own_name(naming, path, "trace.file"), config.trace_max_bytes);
}

int begin_recording_to(const std::string& path, Bytes most) {
  record::Recording what;
  what.path = path;
  what.own_path = stats::inserted_in_name(path, std::to_string(getpid()));
  what.most = most;
  what.process = process_in_words();
  return record::begin(what);
}

}  // namespace gmlake::hooks
