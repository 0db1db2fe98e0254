// Other processes of this user that run with gmlake. One that runs out of a device's memory asks
// those that have some free there: it writes its wish into their pages (stats/live_layout.h), and
// the thread of each that gives memory back (hooks/keeper.h) does so at once and answers.
//
// Who is there is seen by the pages in the folder of this process's own; one without a page
// (stats.live), with pool.ask_others off, or in a container from which the others can not be seen,
// neither asks nor is asked.
#pragma once

#include <cstdint>

#include "stats/live_layout.h"

namespace gmlake::hooks {

// Asks, and waits for the answers with no lock held: 0.2 s at most for who does not answer, longer
// for who is giving; nobody is waited for who has nothing free. True: some has been given back. Who
// got nothing does not ask again for a while.
bool ask_neighbours(int device);

// From now on this process is asked.
void hear_wishes(stats::live::Header& page);
// For the thread that gives back: all that was wished for up to this number of the page's bell.
void answer_wishes(stats::live::Header& page, std::uint32_t rung);

}  // namespace gmlake::hooks
