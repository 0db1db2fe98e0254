// The names that the program gives to what it asks for (gmlake_annotate): each kept once, for good.
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "support/ranked_mutex.h"

namespace gmlake::who {

using Name = std::uint32_t;  // 0: none

class Names {
 public:
  // None where there are kMost already. Throws std::bad_alloc.
  Name number_of(const char* name) GMLAKE_EXCLUDES(mutex_) {
    constexpr std::size_t kMost = 4096;
    if (!name || !*name) return 0;
    const Lock lock(mutex_);
    if (const auto known = numbers_.find(name); known != numbers_.end()) return known->second;
    if (names_.size() == kMost) return 0;
    names_.emplace_back(name);
    return numbers_[names_.back()] = static_cast<Name>(names_.size());
  }
  // Null for none, and for one of before a fork.
  const char* text_of(Name name) const GMLAKE_EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    return name == 0 || name > names_.size() ? nullptr : names_[name - 1].c_str();
  }

 private:
  mutable RankedMutex<Rank::last> mutex_;
  std::deque<std::string> names_ GMLAKE_GUARDED_BY(mutex_);  // they keep their addresses
  std::unordered_map<std::string_view, Name> numbers_ GMLAKE_GUARDED_BY(mutex_);
};

}  // namespace gmlake::who
