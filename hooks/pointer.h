// What a copy or a set has to know about the blocks that it touches.
#pragma once

#include <atomic>

#include "hooks/real.h"

namespace gmlake::hooks {

// Memory of a pool that no block has: natively nothing, which the driver can not know.
bool is_nobodys(CUdeviceptr at);

// Blocks whose synchronous copies and sets the program wants to be over when they return
// (CU_POINTER_ATTRIBUTE_SYNC_MEMOPS).
extern std::atomic<bool> any_synchronous_block;
// Whether there has ever been one.
inline bool synchronous_blocks() {
  return any_synchronous_block.load(std::memory_order_acquire);
}
bool is_synchronous_block(CUdeviceptr at);

}  // namespace gmlake::hooks
