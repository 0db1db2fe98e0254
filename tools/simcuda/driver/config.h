// The SIMCUDA_* environment, read once by cuInit.
#pragma once

#include <string>
#include <vector>

#include "cuda_api.h"
#include "support/units.h"

namespace gmlake::simcuda {

inline constexpr unsigned kMaxDevices = 16;

struct Fault {
  unsigned function = 0;  // index in kFunctionNames
  std::uint64_t nth = 0;  // counted from 1
  bool every = false;     // every nth call, not only that one
  CUresult result = CUDA_SUCCESS;
};

struct Config {
  unsigned devices = 1;
  Bytes memory = 80 * GiB;  // per device, a multiple of 2 MiB
  bool backed = true;       // false: SIMCUDA_BACKING=none
  bool stats = false;
  std::string stats_file;  // empty: stderr
  std::vector<Fault> faults;
};

// Empty if all is well, else one line that says what is wrong and what would be right.
std::string load_config();
const Config& config();
// Whether any fault is configured; false before load_config.
bool have_faults();

}  // namespace gmlake::simcuda
