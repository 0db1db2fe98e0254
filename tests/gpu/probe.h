// A probe: one small question to the driver, answered by a line of JSON. what_happens.cpp runs
// them; the other probe_*.cpp files hold them by subject.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "driver.h"

namespace gpu {

// Prints {"probe", "result", "detail"}. `result` is one word or a driver error's name.
void answer(const std::string& probe, const std::string& result, const std::string& detail = "");
inline void answer(const std::string& probe, CUresult result, const std::string& detail = "") {
  answer(probe, name(result), detail);
}

struct Probe {
  const char* name;
  void (*run)();
  // In a process of its own: it may break its context, hang, or needs one that has done nothing
  // yet.
  bool alone = false;
};

std::vector<Probe> mapping_probes();
std::vector<Probe> pointer_probes();
std::vector<Probe> copy_probes();
std::vector<Probe> capture_probes();
std::vector<Probe> order_probes();
std::vector<Probe> limit_probes();
std::vector<Probe> ipc_probes();

template <typename Call>
double microseconds(Call call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

inline std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", value);
  return buffer;
}
inline std::string hex(unsigned long long value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "0x%llx", value);
  return buffer;
}

}  // namespace gpu
