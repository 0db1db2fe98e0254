// What the parts of two_devices share: both devices' contexts, and how answers are said.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "block.h"

namespace gpu {

inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline CUcontext contexts[2];

inline void use(int device) {
  GPU(cuCtxSetCurrent_(contexts[device]));
}

inline void say(const std::string& question, const std::string& answer) {
  std::printf("{\"question\": \"%s\", \"answer\": \"%s\"}\n", question.c_str(), answer.c_str());
  std::fflush(stdout);
}

inline std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", value);
  return buffer;
}

inline double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Memory of device 1.
inline std::shared_ptr<Block> of_device_1(std::size_t bytes, std::size_t each, bool access_for_0) {
  auto block = std::make_shared<Block>(bytes / each, each, 1);
  if (access_for_0) check(set_access(block->at(), bytes, 0), "cuMemSetAccess of the peer");
  return block;
}

// A kind of memory, from 0 to 3; with peer access enabled from device 0 before.
void copies(int kind, bool peers);
void speed();

}  // namespace gpu
