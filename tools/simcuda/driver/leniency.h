// Where the simulated driver is kinder to programs than a real one may be, unless the environment
// says otherwise (config.cpp).
#pragma once

namespace gmlake::simcuda {

// SIMCUDA_EARLY_RETURN: whether sets and copies within devices return before they are over, though
// they have no "Async" in their names (cuda_runtime_api.h, "API synchronization behavior").
bool returns_early();
// SIMCUDA_PEERS: whether a device can reach another one's memory at all.
bool devices_are_peers();

}  // namespace gmlake::simcuda
