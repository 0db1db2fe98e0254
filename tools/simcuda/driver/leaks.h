// What a process leaves behind at exit, as findings of the kind `leaks`.
#pragma once

namespace gmlake::simcuda {

void report_leaks();

}  // namespace gmlake::simcuda
