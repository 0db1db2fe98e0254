// `gmlake top`: all processes with a page on a screen that keeps itself up to date. It shows, and
// does nothing to anybody.
#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>

#include <spdlog/fmt/fmt.h>

#include "command.h"
#include "output.h"
#include "pages.h"
#include "rates.h"
#include "screen.h"
#include "support/units.h"

namespace gmlake::tool {
namespace {

using Clock = std::chrono::steady_clock;

struct Order {
  char key;
  const char* name;
  double (*weight)(const Row&);  // the heaviest first
};
constexpr Order kOrders[] = {
    {'p', "physical", [](const Row& r) { return static_cast<double>(r.counters.physical_bytes); }},
    {'l', "live", [](const Row& r) { return static_cast<double>(r.counters.live_bytes); }},
    {'a', "allocations", [](const Row& r) { return r.allocations_per_second; }},
    {'s', "stitches", [](const Row& r) { return static_cast<double>(r.counters.stitches); }},
    {'w', "waits", [](const Row& r) { return static_cast<double>(waits(r.counters)); }},
    {'n', "number", [](const Row& r) { return -static_cast<double>(r.process); }}};

// Live memory of the last minutes, a sign for each moment, the highest of them a whole one.
std::string curve(const std::deque<Bytes>& moments, std::size_t width) {
  constexpr const char* kSigns = " .:-=+*#%@";
  const auto first = moments.size() > width ? moments.size() - width : 0;
  Bytes most = 1;
  for (auto i = first; i < moments.size(); ++i) most = std::max(most, moments[i]);
  std::string signs;
  for (auto i = first; i < moments.size(); ++i)
    signs += kSigns[moments[i] == 0
                        ? 0
                        : 1 + static_cast<std::size_t>(8.0 * static_cast<double>(moments[i]) /
                                                       static_cast<double>(most))];
  return signs;
}

class Top {
 public:
  Top(std::string folder, double interval)
      : folders_(folders_of_pages(folder)), interval_(interval) {}

  int run() {
    for (auto next = Clock::now();;) {
      if (Clock::now() >= next) {
        look();
        next = Clock::now() + std::chrono::milliseconds(static_cast<long>(interval_ * 1000));
      }
      draw();
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now());
      if (!take(screen_.key(static_cast<int>(std::max<long>(1, left.count()))))) return kSuccess;
    }
  }

 private:
  static constexpr std::size_t kMostMoments = 512;

  void look() {
    std::vector<std::string> problems;
    rows_.clear();
    for (const auto& [page, life] : look_at_pages(folders_, problems)) {
      if (life == stats::Life::ended) continue;
      for (auto& row : rates_.rows(page, life)) {
        auto& moments = moments_[{page.path, row.device}];
        if (moments.empty())
          for (const auto& history : page.history)
            if (history.device == row.device)
              for (const auto& sample : history.samples) moments.push_back(sample.live);
        moments.push_back(row.counters.live_bytes);
        if (moments.size() > kMostMoments) moments.pop_front();
        rows_.push_back(std::move(row));
      }
    }
    problem_ = problems.empty() ? "" : fmt::format("{} pages can not be read", problems.size());
  }

  bool is_shown(const Row& row) const {
    return filter_.empty() || row.program.find(filter_) != std::string::npos ||
           std::to_string(row.process).find(filter_) != std::string::npos;
  }

  void draw() {
    std::vector<const Row*> shown;
    Bytes live = 0, physical = 0;
    for (const auto& row : rows_)
      if (is_shown(row)) {
        shown.push_back(&row);
        live += row.counters.live_bytes;
        physical += row.counters.physical_bytes;
      }
    std::stable_sort(shown.begin(), shown.end(), [&](const Row* a, const Row* b) {
      return order_->weight(*a) > order_->weight(*b);
    });
    screen_.clear();
    screen_.write(
        0, 0,
        fmt::format("gmlake top: {} devices of processes, live {}, physical {}, by {}{} {}",
                    shown.size(), human_bytes(live), human_bytes(physical), order_->name,
                    filter_.empty() ? "" : ", only \"" + filter_ + "\"", problem_),
        Screen::Style::bold);
    screen_.write(1, 0,
                  asks_ ? "filter: " + filter_ + "_"
                        : "q quit, / filter, sort by: p physical, l live, a allocations, s "
                          "stitches, w waits, n number",
                  Screen::Style::dim);
    screen_.write(2, 0,
                  fmt::format("{:>8} {:>4} {:>3} {:>10} {:>10} {:>6} {:>9} {:>9} {:>7} {:<16} {}",
                              "PID", "RANK", "GPU", "LIVE", "PHYSICAL", "USED", "ALLOCS/S",
                              "STITCHES", "WAITS", "PROGRAM", "LIVE, LAST MINUTES") +
                      std::string(static_cast<std::size_t>(screen_.columns()), ' '),
                  Screen::Style::reverse);
    int line = 3;
    for (const auto* row : shown) write(line++, *row);
    if (shown.empty())
      screen_.write(3, 0,
                    rows_.empty() ? "no process that counts in a page is running"
                                  : "none of them is so called");
    screen_.show();
  }

  void write(int line, const Row& row) {
    const auto& c = row.counters;
    const auto used = c.physical_bytes == 0 ? 0
                                            : 100 * static_cast<double>(c.live_bytes) /
                                                  static_cast<double>(c.physical_bytes);
    const auto text = fmt::format(
        "{:>8} {:>4} {:>3} {:>10} {:>10} {:>5.1f}% {:>9.0f} {:>9} {:>7} {:<16.16} ", row.process,
        row.rank, row.device, human_bytes(c.live_bytes), human_bytes(c.physical_bytes), used,
        row.allocations_per_second, c.stitches, waits(c), row.program);
    screen_.write(line, 0, text,
                  row.life == stats::Life::elsewhere ? Screen::Style::dim : Screen::Style::plain);
    const auto left = screen_.columns() - static_cast<int>(text.size());
    if (left > 0)
      screen_.write(line, static_cast<int>(text.size()),
                    curve(moments_[{row.page, row.device}], static_cast<std::size_t>(left)));
  }

  // False: it is over.
  bool take(int key) {
    if (asks_) {
      if (key == '\n' || key == 27) asks_ = false;
      if (key == 27) filter_.clear();
      if (key == Screen::kBackspace && !filter_.empty()) filter_.pop_back();
      if (key >= ' ' && key < 127) filter_ += static_cast<char>(key);
      return true;
    }
    if (key == '/') asks_ = true;
    for (const auto& order : kOrders)
      if (key == order.key) order_ = &order;
    return key != 'q';
  }

  const std::vector<std::string> folders_;
  const double interval_;
  Screen screen_;
  Rates rates_;
  std::vector<Row> rows_;
  std::map<std::pair<std::string, int>, std::deque<Bytes>> moments_;
  const Order* order_ = &kOrders[0];
  std::string filter_, problem_;
  bool asks_ = false;
};

}  // namespace

void add_top(CLI::App& app, int& exit_code) {
  auto folder = std::make_shared<std::string>();
  auto interval = std::make_shared<double>(1);
  auto* command = app.add_subcommand("top", "Watch running processes on a full screen");
  command->add_option("--interval", *interval, "seconds between two looks")
      ->check(CLI::Range(0.05, 3600.0));
  command->add_option("--folder", *folder, "look for pages there, as in one that containers share")
      ->type_name("DIR");
  command->footer(
      "Example:\n"
      "  gmlake top --interval 0.5\n"
      "\n"
      "Exit codes: 0 success, 64 wrong command line, 69 no terminal.");
  command->callback([folder, interval, &exit_code] {
    try {
      exit_code = Top(*folder, *interval).run();
    } catch (const std::runtime_error& problem) {
      exit_code = complain("top", kUnavailable, problem.what());
    }
  });
}

}  // namespace gmlake::tool
