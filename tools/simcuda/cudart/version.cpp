// Which CUDA's runtime this is: compiled once for each (CMakeLists.txt).
#include "runtime.h"

namespace gmlake::simcudart {

const int runtime_version = SIMCUDART_VERSION;

}  // namespace gmlake::simcudart
