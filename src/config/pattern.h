// File names with % sequences, so that every process of a job writes its own file:
//
//   %p process id   %h host   %r rank   %l local rank   %e executable   %t start, YYYYmmddTHHMMSS
//   %% percent
//
// The rank comes from SLURM_PROCID, OMPI_COMM_WORLD_RANK, PMI_RANK, PMIX_RANK or RANK, the local
// rank from SLURM_LOCALID, OMPI_COMM_WORLD_LOCAL_RANK, MPI_LOCALRANKID or LOCAL_RANK: the first
// that holds digits and nothing else (a path can not be smuggled in); without one it is 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gmlake::config {

struct PatternValues {
  std::string process;
  std::string host;
  std::string rank;
  std::string local_rank;
  std::string executable;
  std::string start;
};

// This process's values; `start` is the time of the call, so take them once and keep them. After a
// fork the child takes its own.
PatternValues process_pattern_values();

// The name of the running executable, without its folder; "unknown" if the system does not say.
std::string executable_name();

std::string expand_pattern(std::string_view pattern, const PatternValues& values);

// The first % sequence expand_pattern does not know, or nothing.
std::optional<std::string> unknown_sequence(std::string_view pattern);

}  // namespace gmlake::config
