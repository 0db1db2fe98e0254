// A kernel that works on one word of memory for a given time, as PTX: the driver compiles it, so
// that these programs need no nvcc.
#pragma once

#include "driver.h"

namespace gpu {

inline constexpr const char* kSpin = R"(
.version 7.0
.target sm_70
.address_size 64
.visible .entry spin(.param .u64 word, .param .u64 nanoseconds)
{
  .reg .b64 %rd<6>;
  .reg .b32 %r<3>;
  .reg .pred %p;
  ld.param.u64 %rd1, [word];
  ld.param.u64 %rd2, [nanoseconds];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u64 %rd3, %globaltimer;
  add.u64 %rd4, %rd3, %rd2;
again:
  ld.volatile.global.u32 %r1, [%rd1];
  add.u32 %r2, %r1, 1;
  st.volatile.global.u32 [%rd1], %r2;
  mov.u64 %rd5, %globaltimer;
  setp.lt.u64 %p, %rd5, %rd4;
  @%p bra again;
  ret;
}
)";

class Spin {
 public:
  Spin() {
    CUmodule module = nullptr;
    GPU(cuModuleLoadData_(&module, kSpin));
    GPU(cuModuleGetFunction_(&kernel_, module, "spin"));
  }
  void launch(CUdeviceptr word, double seconds, CUstream stream) const {
    auto nanoseconds = static_cast<unsigned long long>(seconds * 1e9);
    void* arguments[] = {&word, &nanoseconds};
    GPU(cuLaunchKernel_(kernel_, 1, 1, 1, 1, 1, 1, 0, stream, arguments, nullptr));
  }

 private:
  CUfunction kernel_ = nullptr;
};

}  // namespace gpu
