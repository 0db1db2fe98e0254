// `gmlake doctor`: whether this machine is fit for gmlake, and what its driver's calls cost.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include <spdlog/fmt/fmt.h>
#include <version.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "doctor/checks.h"
#include "doctor/costs.h"
#include "output.h"

namespace gmlake::tool {
namespace {

struct DoctorOptions {
  bool costs = false;
  bool json = false;
  double seconds = 60;
};

const char* word(doctor::Verdict verdict) {
  switch (verdict) {
    case doctor::Verdict::ok:
      return "ok";
    case doctor::Verdict::note:
      return "note";
    case doctor::Verdict::bad:
      return "BAD";
  }
  return "";
}

int print_checks(const DoctorOptions& options) {
  auto findings = doctor::check_library();
  if (const auto driver = doctor::Driver::open()) {
    const auto more = doctor::check_driver(*driver);
    findings.insert(findings.end(), more.begin(), more.end());
  } else {
    findings.push_back({doctor::Verdict::bad, "driver", driver.error()});
  }
  const auto bad = std::count_if(findings.begin(), findings.end(), [](const auto& finding) {
    return finding.verdict == doctor::Verdict::bad;
  });
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& finding : findings)
      list.push_back({{"verdict", word(finding.verdict)},
                      {"subject", finding.subject},
                      {"text", finding.text}});
    const nlohmann::ordered_json out = {{"format", "gmlake-doctor"},
                                        {"version", 1},
                                        {"fit", bad == 0},
                                        {"findings", std::move(list)}};
    std::cout << out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    for (const auto& finding : findings)
      std::cout << fmt::format("{:<5} {:<14} {}\n", word(finding.verdict), finding.subject,
                               finding.text);
    std::cout << (bad == 0 ? "gmlake can serve programs here.\n"
                           : "gmlake can not serve programs here: see what is BAD.\n");
  }
  return bad == 0 ? kSuccess : kUnavailable;
}

void print_table(const doctor::Driver& driver, const doctor::CostTable& table) {
  std::cout << fmt::format("{}, CUDA {}.{}; microseconds for a call\n\n", table.device,
                           driver.version / 1000, driver.version % 1000 / 10);
  if (driver.simulated)
    std::cout << "This is simcuda, a simulated device: no figure here is a GPU's.\n\n";
  std::cout << fmt::format("{:<36}{:>8}{:>10}{:>9}{:>9}{:>12}{:>12}\n", "", "threads", "size",
                           "handles", "calls", "median", "p99");
  for (const auto& cost : table.costs)
    std::cout << fmt::format("{:<36}{:>8}{:>10}{:>9}{:>9}{:>12.3f}{:>12.3f}\n", cost.call,
                             cost.threads,
                             cost.handle_bytes != 0 ? exact_bytes(cost.handle_bytes) : "",
                             cost.handles != 0 ? fmt::format("{}", cost.handles) : "", cost.samples,
                             cost.median_us, cost.p99_us);
  for (const auto& text : table.left_out) std::cout << "left out: " << text << "\n";
}

void print_json(const doctor::Driver& driver, const doctor::CostTable& table) {
  nlohmann::ordered_json costs = nlohmann::ordered_json::array();
  for (const auto& cost : table.costs)
    costs.push_back({{"call", cost.call},
                     {"threads", cost.threads},
                     {"handle_bytes", cost.handle_bytes},
                     {"handles", cost.handles},
                     {"samples", cost.samples},
                     {"median_us", cost.median_us},
                     {"p99_us", cost.p99_us}});
  const nlohmann::ordered_json out = {{"format", "gmlake-costs"},
                                      {"version", 1},
                                      {"gmlake", GMLAKE_VERSION " (" GMLAKE_REVISION ")"},
                                      {"device", table.device},
                                      {"cuda_driver_version", driver.version},
                                      {"simulated", driver.simulated},
                                      {"costs", std::move(costs)},
                                      {"left_out", table.left_out}};
  std::cout << out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

int print_costs(const DoctorOptions& options) {
  const auto driver = doctor::Driver::open();
  if (!driver) return complain("doctor", kUnavailable, driver.error());
  const auto table = doctor::measure_costs(*driver, options.seconds);
  if (!table) return complain("doctor", kUnavailable, table.error());
  if (options.json) {
    print_json(*driver, *table);
  } else {
    print_table(*driver, *table);
  }
  return kSuccess;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DoctorOptions>();
  auto* command = app.add_subcommand(
      "doctor", "Say whether this machine is fit for gmlake, and what its driver's calls cost");
  command->add_flag("--costs", options->costs,
                    "time the driver's calls on device 0; takes up to three quarters of its free "
                    "memory");
  command->add_option("--seconds", options->seconds, "about how long --costs may take")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "Examples:\n"
      "  gmlake doctor\n"
      "  gmlake doctor --costs --json > costs.json\n"
      "\n"
      "Exit codes: 0 fit, 64 wrong command line, 69 something gmlake needs is missing.");
  command->callback([options, &exit_code] {
    exit_code = options->costs ? print_costs(*options) : print_checks(*options);
  });
}

}  // namespace gmlake::tool
