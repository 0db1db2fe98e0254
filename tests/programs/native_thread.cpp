// For a program in another language: asks for memory on a thread that only C++ knows of.
#include <cstddef>
#include <thread>

#include "device.h"

extern "C" __attribute__((visibility("default"))) int ask_on_a_thread(std::size_t bytes) {
  int code = 1;
  std::thread([&] {
    void* at = nullptr;
    code = device::allocate(&at, bytes);
  }).join();
  return code;
}
