// PyTorch's allocator variable: "key:value,key:value", a value may be "[256:1,512:2]". There are
// two of the name. Measured with torch 2.11 and 2.15: if PYTORCH_CUDA_ALLOC_CONF is set, to nothing
// even, PYTORCH_ALLOC_CONF is not read at all; older ones know the first alone.
#pragma once

#include <optional>
#include <string>

namespace gmlake::tool {

inline constexpr const char* kCudaAllocConf = "PYTORCH_CUDA_ALLOC_CONF";
inline constexpr const char* kAllocConf = "PYTORCH_ALLOC_CONF";

struct AllocConf {
  std::string value;  // for PYTORCH_CUDA_ALLOC_CONF
  std::string said;   // what became of what the user had set; empty if there was nothing
};

// What the user had set, with backend:cudaMallocAsync in it and without what excludes that: another
// backend, and expandable_segments. `cuda` and `general` are the variables as they were, if set.
AllocConf with_async_backend(const std::optional<std::string>& cuda,
                             const std::optional<std::string>& general);

}  // namespace gmlake::tool
