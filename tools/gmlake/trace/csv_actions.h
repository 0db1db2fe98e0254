// What the rows of a log say, by their action: RMM's, and those of a recording (docs/traces.md).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "trace/trace.h"

namespace gmlake::trace::csv {

// What a row's action is. Some say more by their size: whether what was asked for was over.
enum class What : std::uint8_t {
  event,     // of a Kind
  pending,   // asked in vain
  answered,  // one if it was over, otherwise nothing
  failure,
  live,
  forget,
  stream,
  native,
  lost,
  pace,
  pace_spent,
  note  // for people
};
struct Row {
  std::string_view action;
  What what;
  Kind kind = Kind::allocate;
};
inline constexpr std::array kRows{Row{"allocate", What::event, Kind::allocate},
                                  Row{"free", What::event, Kind::free},
                                  Row{"record", What::event, Kind::record},
                                  Row{"wait", What::event, Kind::wait},
                                  Row{"synchronize", What::event, Kind::synchronize},
                                  Row{"query", What::answered, Kind::synchronize},
                                  Row{"synchronize stream", What::event, Kind::complete},
                                  Row{"query stream", What::answered, Kind::complete},
                                  Row{"synchronize context", What::event, Kind::complete},
                                  Row{"fence", What::event, Kind::fence},
                                  Row{"fence passed", What::event, Kind::asked},
                                  Row{"fence pending", What::pending, Kind::asked},
                                  Row{"fence awaited", What::event, Kind::awaited},
                                  Row{"work", What::event, Kind::work},
                                  Row{"pace", What::pace},
                                  Row{"pace spent", What::pace_spent},
                                  Row{"allocate failure", What::failure},
                                  Row{"live", What::live},
                                  Row{"forget", What::forget},
                                  Row{"stream", What::stream},
                                  Row{"stream ends", What::note},
                                  Row{"allocate natively", What::native},
                                  Row{"free natively", What::native},
                                  Row{"lost", What::lost},
                                  Row{"module", What::note},
                                  Row{"process", What::note}};

}  // namespace gmlake::trace::csv
