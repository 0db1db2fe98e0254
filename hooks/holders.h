// Whose memory it is that the pools have given out: the doors' calls that note() sees, in the
// ledger (src/who/ledger.h) if stats.sample_bytes asks for one.
#pragma once

#include <atomic>

#include "hooks/recording.h"
#include "stats/holder.h"
#include "who/ledger.h"

namespace gmlake::hooks {

// The process's ledger begins, if it is to have one; before it has a pool.
void begin_noting(Bytes sample_bytes);
void noting_after_fork();

void note_holder(who::Ledger& ledger, Action action, const pool::Origin& origin,
                 std::uint64_t pointer, Bytes bytes);

// Those with the most, for a report. Nothing without a ledger. Looks names up: no lock of ours is
// held.
stats::Holders holders_now();

}  // namespace gmlake::hooks
