// The work of the random programs: kernels that fill a block with a pattern and that check it. To
// simcuda's checks each uses its whole block; it touches a few words of it.
//
// Which block a word belongs to can be told from the word, so memory that two blocks share, or that
// one has while the other still works on it, is found by what is in it too.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <string>

namespace gmlake::streams {

void register_kernels();

// In the context that is current when it is made.
class Kernels {
 public:
  Kernels();
  ~Kernels();
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  CUresult fill(CUdeviceptr at, std::size_t size, std::uint64_t block, CUstream stream) const;
  CUresult check(CUdeviceptr at, std::size_t size, std::uint64_t block, CUstream stream) const;

 private:
  CUmodule module_ = nullptr;
  CUfunction fill_ = nullptr;
  CUfunction check_ = nullptr;
};

// The same pattern without a launch: each word by fills of its halves. `set` is either flavour of
// cuMemsetD32Async.
CUresult fill_by_halves(CUdeviceptr at, std::size_t size, std::uint64_t block,
                        CUresult (*set)(CUdeviceptr, unsigned, std::size_t, CUstream),
                        CUstream stream);

// What the checks have found since the last time this was asked; empty if nothing.
std::string mismatches();

}  // namespace gmlake::streams
