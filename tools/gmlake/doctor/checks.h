// What gmlake needs of a machine, checked one by one.
#pragma once

#include <string>
#include <vector>

#include "doctor/driver.h"

namespace gmlake::tool::doctor {

enum class Verdict { ok, note, bad };

struct Finding {
  Verdict verdict;
  std::string subject;
  std::string text;  // with the remedy, when it is bad
};

// The library, its configuration and LD_PRELOAD: no driver needed.
std::vector<Finding> check_library();
// The driver and each of its devices. Takes one chunk of memory on each for a moment.
std::vector<Finding> check_driver(const Driver& driver);

}  // namespace gmlake::tool::doctor
