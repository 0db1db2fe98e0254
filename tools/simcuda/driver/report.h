// What SIMCUDA_LOG=stats says at exit.
#pragma once

namespace gmlake::simcuda {

void write_report();

}  // namespace gmlake::simcuda
