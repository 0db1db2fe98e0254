// Asks for memory from several places, under names where gmlake is there to be told them, and keeps
// some of it.
//
//   holders [SMALL]     frees all but 8 MiB; SMALL blocks of 64 KiB, 1000 unless it says otherwise
//   holders exhaust     asks until there is no more
//   holders wait [N]    holds 32 MiB on each of N devices (1), says "ready" and waits for its end
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <unistd.h>

#include "device.h"

extern "C" {
__attribute__((weak)) const char* gmlake_annotate(const char* name);

// Named in the report as they are here, so neither inlined nor hidden.
__attribute__((noinline, visibility("default"))) int ask_for_weights(void** out) {
  int code = device::allocate(out, std::size_t{8} << 20);
  asm volatile("" : "+r"(code));  // or the call is a jump, and this function not among the callers
  return code;
}
__attribute__((noinline, visibility("default"))) int ask_for_activations(void** out) {
  int code = device::allocate_async(out, std::size_t{64} << 10, nullptr);
  asm volatile("" : "+r"(code));
  return code;
}
}

namespace {

const char* annotate(const char* name) {
  return gmlake_annotate ? gmlake_annotate(name) : nullptr;
}

int exhaust() {
  void* at = nullptr;
  int code = 0;
  while (code == 0) code = ask_for_weights(&at);
  return code == 2 ? 0 : 1;
}

int wait(int devices) {
  (void)annotate("weights");
  void* at = nullptr;
  for (int device = 0; device < devices; ++device) {
    if (const auto code = cudaSetDevice(device)) return code;
    for (int i = 0; i < 4; ++i)
      if (const int code = ask_for_weights(&at)) return code;
  }
  std::puts("ready");
  (void)std::fflush(stdout);
  for (;;) (void)pause();
}

int run(std::size_t small) {
  std::vector<void*> weights(4), activations(small);
  int code = 0;
  if (annotate("weights") != nullptr) return 1;
  for (auto& at : weights) code += ask_for_weights(&at);
  if (gmlake_annotate && std::strcmp(annotate("activations"), "weights") != 0) return 1;
  for (auto& at : activations) code += ask_for_activations(&at);
  (void)annotate(nullptr);
  for (auto* const at : activations) code += device::release_async(at, nullptr);
  for (std::size_t i = 1; i < weights.size(); ++i) code += device::release(weights[i]);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (const int code = device::open()) return code;
  if (argc > 1 && std::strcmp(argv[1], "exhaust") == 0) return exhaust();
  if (argc > 1 && std::strcmp(argv[1], "wait") == 0) return wait(argc > 2 ? std::atoi(argv[2]) : 1);
  return run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000);
}
