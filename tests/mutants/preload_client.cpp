// A correct program that has its memory from cuMemAllocAsync, and knows of no shim.
#include "shim.h"

namespace {

using namespace gmlake::mutants;

class Driver : public Shim {
  CUdeviceptr allocate(std::size_t size, CUstream stream) override {
    CUdeviceptr at = 0;
    check(cuMemAllocAsync(&at, size, stream));
    return at;
  }
  void free(CUdeviceptr at, CUstream stream) override { check(cuMemFreeAsync(at, stream)); }
};

}  // namespace

int main() {
  const Device device;
  Driver driver;
  use(device, driver);
  return 0;
}
