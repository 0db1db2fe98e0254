#include "report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <nlohmann/json.hpp>

#include "../simcuda.h"
#include "call_counts.h"
#include "config.h"
#include "costs.h"
#include "entry.h"
#include "memory.h"

namespace gmlake::simcuda {
namespace {

void write_text() {
  std::fprintf(
      stderr, "simcuda: peak physical memory %s, peak mappings %llu, modelled time %.3f ms\n",
      human_bytes(simcuda_peak_physical_bytes()).c_str(),
      static_cast<unsigned long long>(peak_mappings()), static_cast<double>(modelled_ns()) / 1e6);
  for (unsigned i = 0; i < kFunctions; ++i)
    if (const auto calls = call_count(i))
      std::fprintf(stderr, "simcuda: %12llu %s\n", static_cast<unsigned long long>(calls),
                   kFunctionNames[i].data());
}

void write_json(const std::string& path) {
  nlohmann::ordered_json report;
  auto& calls = report["calls"] = nlohmann::ordered_json::object();
  for (unsigned i = 0; i < kFunctions; ++i)
    if (const auto count = call_count(i)) calls[std::string(kFunctionNames[i])] = count;
  auto& modelled = report["modelled_ns"] = nlohmann::ordered_json::object();
  for (unsigned i = 0; i < kFunctions; ++i)
    if (call_count(i) != 0) modelled[std::string(kFunctionNames[i])] = modelled_ns(i);
  report["modelled_ns_total"] = modelled_ns();
  report["findings"] = simcuda_findings();
  report["peak_physical_bytes"] = simcuda_peak_physical_bytes();
  report["peak_mappings"] = peak_mappings();
  const std::string text = report.dump(2) + "\n";
  std::FILE* file = std::fopen(path.c_str(), "we");
  const bool written =
      file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if ((file != nullptr && std::fclose(file) != 0) || !written)
    std::fprintf(stderr, "simcuda: SIMCUDA_LOG: can not write %s: %s\n", path.c_str(),
                 std::strerror(errno));
}

}  // namespace

void write_report() {
  if (!config().stats) return;
  if (config().stats_file.empty())
    write_text();
  else
    write_json(config().stats_file);
}

}  // namespace gmlake::simcuda

unsigned long long simcuda_call_count(const char* name) {
  const unsigned function = gmlake::simcuda::function_index(name);
  return function < gmlake::simcuda::kFunctions ? gmlake::simcuda::call_count(function) : 0;
}
