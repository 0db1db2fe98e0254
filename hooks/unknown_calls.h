// What follows once functions have been called of which nothing is known (stand_ins.h): each thing
// that such a call may do unseen is no more taken to be seen, for good. Then the driver is asked,
// or nothing is concluded.
#pragma once

#include <atomic>

#include "hooks/effects.h"

namespace gmlake::hooks {

extern std::atomic<Effect::Set> unseen_effects;
inline bool may_be_unseen(Effect::Set effects) {
  return (unseen_effects.load(std::memory_order_relaxed) & effects) != 0;
}

}  // namespace gmlake::hooks
