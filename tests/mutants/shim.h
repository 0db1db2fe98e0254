// Small allocators between a client and the driver, as caching allocators are, right and wrong.
#pragma once

#include <memory>

#include "device.h"
#include "pair.h"

namespace gmlake::mutants {

// The contract is that of cuMemAllocAsync and cuMemFreeAsync: memory may be used by what comes
// behind its allocation in the order of the stream, and its free has to come behind every use.
class Shim {
 public:
  virtual ~Shim() = default;
  virtual CUdeviceptr allocate(std::size_t size, CUstream stream) = 0;
  virtual void free(CUdeviceptr at, CUstream stream) = 0;
};
using ShimPtr = std::unique_ptr<Shim>;

// A client that keeps the contract, and goes everywhere where the shims below are wrong.
void use(const Device& device, Shim& shim);

// What the wrong one of each does is said in shims.cpp.
ShimPtr across_streams(Twin twin);
ShimPtr keyed_by_handle(Twin twin);
ShimPtr asks_before_recording(Twin twin);
ShimPtr records_on_the_wrong_stream(Twin twin);
ShimPtr one_event_for_all(Twin twin);
ShimPtr frees_at_once(Twin twin);
ShimPtr overlapping_blocks(Twin twin);
ShimPtr unmaps_too_early(Twin twin);
ShimPtr stitches_busy_chunks(Twin twin);
ShimPtr forgets_the_last_access(Twin twin);

}  // namespace gmlake::mutants
