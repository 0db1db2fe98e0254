// On whose behalf memory is taken or given back: a stream, or the host, which for an allocation
// means any stream at once and for a free means after everything the block's context has been given
// so far.
#pragma once

#include <cstdint>

#include "driver/device.h"
#include "stats/unproved.h"

namespace gmlake::pool {

// Which of the program's memory pools on the device its memory is of (pool/accounts.h).
using PoolTag = std::uint8_t;
inline constexpr PoolTag kDefaultPool = 0;
inline constexpr PoolTag kMostPools = 250;  // besides the default one

struct Origin {
  driver::Context context = nullptr;
  std::uint64_t stream_id = 0;  // cuStreamGetId: unique for the life of the process; 0: the host
  driver::Stream stream = nullptr;  // the handle, for recording events on it
  // The handle stands for the stream only on this thread (the per-thread default stream) or only
  // during this call (its end may go unseen).
  bool thread_bound = false;
  stats::StreamName::Kind kind = stats::StreamName::Kind::created;  // for reports
  // It waits for the legacy default stream and that one for it, or it is that one.
  bool blocking = false;
  PoolTag pool = kDefaultPool;  // of what it takes, where that is a stream's

  bool host() const { return stream_id == 0; }
};

}  // namespace gmlake::pool
