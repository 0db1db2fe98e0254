// Calls CUDA's allocation functions wrongly and prints what each answers, so that the answers with
// and without the library in front can be compared. Exit status 0 whatever they are.
#include <cstdint>
#include <cstdio>

#include "device.h"

namespace {

void say(const char* what, int code) {
  std::printf("%s: %d, last error %d\n", what, code, device::last_error());
}

}  // namespace

int main() {
  constexpr std::size_t kBytes = std::size_t{3} << 20;
  constexpr std::size_t kHuge = std::size_t{1} << 60;
  void* const kNowhere = reinterpret_cast<void*>(std::uintptr_t{0x1234000});
  say("open", device::open());

  say("free of null", device::release(nullptr));
  void* at = kNowhere;
  say("allocate 0", device::allocate(&at, 0));
  std::printf("  pointer %s\n", at == nullptr ? "null" : at == kNowhere ? "untouched" : "set");
  at = kNowhere;
  say("allocate 0 async", device::allocate_async(&at, 0, nullptr));
  std::printf("  pointer %s\n", at == nullptr ? "null" : at == kNowhere ? "untouched" : "set");
  say("allocate into null", device::allocate(nullptr, kBytes));
  say("allocate huge", device::allocate(&at, kHuge));
  say("allocate huge async", device::allocate_async(&at, kHuge, nullptr));
  // Rounded up, it would be nothing.
  say("allocate all", device::allocate(&at, ~std::size_t{0}));
  say("allocate all async", device::allocate_async(&at, ~std::size_t{0} - 511, nullptr));
  say("free of no pointer of ours", device::release(kNowhere));
  say("free async of no pointer of ours", device::release_async(kNowhere, nullptr));
  say("free async of null", device::release_async(nullptr, nullptr));

  at = nullptr;
  say("allocate", device::allocate(&at, kBytes));
  say("free of an inner address", device::release(static_cast<char*>(at) + 256));
  say("free", device::release(at));
  say("free again", device::release(at));

  void* async = nullptr;
  say("allocate async", device::allocate_async(&async, kBytes, nullptr));
  say("free of async memory", device::release(async));
  say("free of async memory again", device::release(async));
  say("allocate", device::allocate(&at, kBytes));
  say("free async of plain memory", device::release_async(at, nullptr));
  say("wait", device::wait_all());
  return 0;
}
