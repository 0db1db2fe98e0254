// `gmlake trim`, `limit` and `dump`: what a running process is asked to do, through its page, if it
// has live.control.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>

#include "command.h"
#include "output.h"
#include "pages.h"
#include "run_environment.h"
#include "stats/mapped_page.h"
#include "support/futex.h"
#include "support/units.h"

namespace gmlake::tool {
namespace {

using stats::live::Order;

constexpr int kSeconds = 30;

struct Request {
  std::int64_t process = 0;
  Order order = Order::none;
  std::uint64_t amount = 0;
  std::string path;
};
struct Answer {
  int error = 0;
  std::uint64_t amount = 0;
};

int complain(const std::string& message) {
  return tool::complain("", kUnavailable, message);
}

// Of a page that nobody else writes to. Nothing if the process does not answer in time.
std::optional<Answer> ask(stats::MappedPage& page, const Request& request) {
  auto& control = page.header()->control;
  control.order = request.order;
  control.amount = request.amount;
  std::memset(control.path, 0, sizeof control.path);
  std::memcpy(control.path, request.path.data(),
              std::min(request.path.size(), sizeof control.path - 1));
  const auto number = control.done.load() + 1;
  control.asked.store(number, std::memory_order_release);
  (void)page.ring();
  constexpr timespec kTenth{0, 100'000'000};
  for (int i = 0; i < kSeconds * 10; ++i) {
    const auto done = control.done.load(std::memory_order_acquire);
    if (done == number) return Answer{control.error, control.answer};
    wait_while(control.done, done, kTenth);
  }
  control.asked.store(control.done.load());
  return {};
}

int ask(const Request& request, Answer& answer) {
  std::vector<std::string> problems;
  const auto number = std::to_string(request.process);
  for (const auto& [page, life] : look_at_pages(folders_of_pages(""), problems)) {
    if (page.report.process != request.process || life != stats::Life::running) continue;
    if (!page.controlled)
      return complain("process " + number + " takes no commands; start it with live.control=true");
    stats::MappedPage line(page.path);
    if (!line.header() || !line.lock())
      return complain("process " + number + " is not this user's");
    const auto got = ask(line, request);
    if (!got) return complain("process " + number + " does not answer");
    answer = *got;
    return answer.error == 0 ? kSuccess
                             : complain("process " + number + ": " + std::strerror(answer.error));
  }
  return complain("process " + number + " has no page here: see gmlake stats");
}

struct Words {
  std::int64_t process = 0;
  std::string what;
  std::string trace;  // of dump: on, off, or nothing
};

CLI::App* add(CLI::App& app, const char* name, const char* help, const char* what,
              const char* what_help, const char* example, const std::shared_ptr<Words>& words) {
  auto* command = app.add_subcommand(name, help);
  command->add_option("PID", words->process, "a process started with live.control=true")
      ->required();
  command->add_option(what, words->what, what_help);
  command->footer(
      std::string("Example:\n  gmlake ") + name + " 4242 " + example +
      "\n\n"
      "Exit codes: 0 success, 64 wrong command line, 69 the process does not answer, takes no\n"
      "commands or is not this user's.");
  return command;
}

int trim(const Words& words) {
  const auto keep = words.what.empty() ? 0 : parse_bytes(words.what);
  if (!keep) return complain("trim: " + words.what + " is no size; write 512MiB"), kUsage;
  Answer answer;
  const int code = ask({words.process, Order::trim, *keep, ""}, answer);
  if (code == kSuccess) std::cout << human_bytes(answer.amount) << " given back to the device\n";
  return code;
}

int limit(const Words& words) {
  const auto most = words.what.empty() ? ~Bytes{0} : parse_bytes(words.what);
  if (!most)
    return complain("limit: " + words.what + " is no size; write 40GiB, or 0 for no limit"), kUsage;
  Answer answer;
  return ask({words.process, Order::limit, *most, ""}, answer);
}

int end_recording(const Words& words) {
  if (!words.what.empty())
    return complain("dump: --trace off takes no file: the recording has one"), kUsage;
  Answer answer;
  return ask({words.process, Order::end_record, 0, ""}, answer);
}

int dump(const Words& words) {
  if (words.trace == "off") return end_recording(words);
  const bool trace = words.trace == "on";
  const auto file = absolute_file(words.what.empty() ? "gmlake-" + std::to_string(words.process) +
                                                           (trace ? ".csv.gz" : ".json")
                                                     : words.what);
  if (file.size() >= stats::live::kMostPath) return complain("dump: the name is too long"), kUsage;
  Answer answer;
  const int code = ask({words.process, trace ? Order::record : Order::dump, 0, file}, answer);
  if (code == kSuccess) std::cout << file << "\n";
  return code;
}

}  // namespace

void add_control(CLI::App& app, int& exit_code) {
  const auto words = std::make_shared<Words>();
  add(app, "trim", "Have a running process give free memory back", "KEEP",
      "bytes that each device's pool may keep; 0 without", "1GiB", words)
      ->callback([words, &exit_code] { exit_code = trim(*words); });
  add(app, "limit", "Change pool.max_bytes of a running process", "SIZE",
      "40GiB, 0 for no limit; as it was configured without", "40GiB", words)
      ->callback([words, &exit_code] { exit_code = limit(*words); });
  auto* picture = add(app, "dump", "Have a running process write the picture of its pools", "FILE",
                      "where to; gmlake-PID.json without, or gmlake-PID.csv.gz for a recording",
                      "picture.json", words);
  picture
      ->add_option("--trace", words->trace,
                   "rather than that, begin (on) or end (off) a recording as of gmlake record")
      ->check(CLI::IsMember({"on", "off"}));
  picture->callback([words, &exit_code] { exit_code = dump(*words); });
}

}  // namespace gmlake::tool
