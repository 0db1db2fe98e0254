// What others ask of this process while it runs (live.control): `gmlake trim`, `limit` and `dump`
// write it into its page (stats/live_layout.h) and wait for the answer. The keeper's thread does
// it.
#pragma once

#include "stats/live_layout.h"

namespace gmlake::hooks {

// From now on commands are taken.
void open_control(stats::live::Header& page);
// Does what is asked, if anything is.
void answer_command(stats::live::Header& page);

}  // namespace gmlake::hooks
