// A program that is linked with libgmlake.so and knows it by the installed header alone.
#include <cstdio>

#include <gmlake.h>

int main() {
  void* block = gmlake_malloc(1 << 20, 0, nullptr);
  std::printf("%s: %s\n", gmlake_version(), block ? "served" : "refused");
  gmlake_free(block, 1 << 20, 0, nullptr);
  return block ? 0 : 1;
}
