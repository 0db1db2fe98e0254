// NVIDIA's tools in the same process. Most of them look on, and see what gmlake makes of the
// program's calls: nothing is to be done for them. A memory checker is another matter: it knows
// blocks by the driver's own allocations, and a pool is one large one, in which nothing is out of
// bounds or freed.
#pragma once

namespace gmlake::hooks {

// Whether compute-sanitizer, or another tool made of its API, checks this process. Nsight Systems
// and CUPTI programs come in by the same variable (CUDA_INJECTION64_PATH) and are told apart by the
// library it names. Asks the loader: no lock may be held.
bool checked_by_sanitizer();

}  // namespace gmlake::hooks
