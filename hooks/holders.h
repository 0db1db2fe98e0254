// Whose memory it is that the pools have given out: the doors' calls that note() sees, in the
// ledger (src/who/ledger.h) if stats.sample_bytes asks for one.
#pragma once

#include <atomic>
#include <chrono>

#include "hooks/recording.h"
#include "stats/holder.h"
#include "who/ledger.h"

namespace gmlake::hooks {

// The process's ledger begins, if it is to have one; before it has a pool. `shown`: where others
// see it, or null.
void begin_noting(Bytes sample_bytes, stats::HoldersRecord* shown);
void noting_after_fork();

void note_holder(who::Ledger& ledger, Action action, const pool::Origin& origin,
                 std::uint64_t pointer, Bytes bytes);

// What the calling thread asks for is for that name. By text: 0 for "" and where no more are kept.
// Throws std::bad_alloc.
who::Name number_of_name(const char* name);
who::Name current_name();
void set_name(who::Name name);
// The same text, for good; null for none.
const char* kept_name(const char* name);

// Whether there is something to be shown from time to time; does it, by one thread at a time, if it
// is time again: not more often than that, nor for more than a hundredth of the thread's time.
inline constexpr std::chrono::milliseconds kBetweenShows{500};
bool shows_holders();
void show_holders();

// Those with the most, for a report. Nothing without a ledger. Looks names up: no lock of ours is
// held.
stats::Holders holders_now();

}  // namespace gmlake::hooks
