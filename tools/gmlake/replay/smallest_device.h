// How small a device would do: replays a trace on devices of other sizes until the answer is known.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "replay/replay.h"
#include "trace/trace.h"

namespace gmlake::replay {

// The smallest memory, in whole pages of 2 MiB and at most `most`, in which all loops finish;
// nothing if there is none. A size that fits is taken to mean that all larger ones do: sizes below
// one that does not fit are not tried.
//
// Each attempt is a process of its own, because simcuda reads the size of its device once. Call it
// while this one has loaded no simulated device and has no second thread.
trace::Expected<std::optional<Bytes>> smallest_device(const trace::Trace& trace,
                                                      const std::string& library,
                                                      const config::Config& config,
                                                      const Manner& manner, Bytes most);

}  // namespace gmlake::replay
