// The SIMCUDA_* environment, read once by cuInit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "support/units.h"

namespace gmlake::simcuda {

inline constexpr unsigned kMaxDevices = 16;

struct Config {
  unsigned devices = 1;
  Bytes memory = 80 * GiB;  // per device, a multiple of 2 MiB
  bool backed = true;       // false: SIMCUDA_BACKING=none
  bool stats = false;
  std::string stats_file;             // empty: stderr
  unsigned checks = 0;                // bit per Check (findings.h)
  int exit_status = 97;               // of a process with findings; 0: its own
  std::optional<std::uint64_t> seed;  // deterministic mode
};

// Empty if all is well, else one line that says what is wrong and what would be right.
std::string load_config();
const Config& config();

}  // namespace gmlake::simcuda
