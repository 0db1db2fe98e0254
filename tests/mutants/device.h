// What the programs are written with: driver objects that go with their scope, so that a program
// leaks nothing but what it means to, and kernels that say what they access.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>

namespace gmlake::mutants {

inline constexpr std::size_t kSize = 64 << 10;  // of a buffer
inline constexpr std::size_t kChunk = 2 << 20;  // of a physical handle

// Ends the program if a call fails that should not.
// (The builtins stand in for std::source_location, which clang 14 does not have.)
void check(CUresult result, const char* file = __builtin_FILE(), int line = __builtin_LINE());

// A device with its primary context current.
class Device {
 public:
  explicit Device(CUdevice ordinal = 0);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Kernels.
  void write(CUdeviceptr at, CUstream stream, std::size_t size = kSize) const;
  void read(CUdeviceptr at, CUstream stream, std::size_t size = kSize) const;
  // Reads one range and writes another.
  void transform(CUdeviceptr to, CUdeviceptr from, CUstream stream, std::size_t size = kSize) const;

  CUcontext context = nullptr;

 private:
  CUdevice ordinal_;
  CUmodule module_ = nullptr;
  CUfunction write_ = nullptr;
  CUfunction read_ = nullptr;
  CUfunction transform_ = nullptr;
};

// The program itself reads or writes memory.
void host_reads(const void* at, std::size_t size);
void host_writes(void* at, std::size_t size);

template <typename Handle, CUresult (*Destroy)(Handle)>
class Owned {
 public:
  ~Owned() {
    if (handle_ != Handle{}) check(Destroy(handle_));
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  operator Handle() const { return handle_; }
  Handle get() const { return handle_; }
  void destroy() { check(Destroy(release())); }
  Handle release() {
    const Handle handle = handle_;
    handle_ = Handle{};
    return handle;
  }

 protected:
  Owned() = default;
  Handle handle_{};
};

struct Stream : Owned<CUstream, cuStreamDestroy> {
  explicit Stream(unsigned flags = CU_STREAM_NON_BLOCKING) {
    check(cuStreamCreate(&handle_, flags));
  }
};

struct Event : Owned<CUevent, cuEventDestroy> {
  Event() { check(cuEventCreate(&handle_, CU_EVENT_DISABLE_TIMING)); }
};

// Device memory of cuMemAlloc.
struct Buffer : Owned<CUdeviceptr, cuMemFree> {
  explicit Buffer(std::size_t size = kSize) { check(cuMemAlloc(&handle_, size)); }
};

// Pinned host memory, kSize bytes.
struct Pinned : Owned<void*, cuMemFreeHost> {
  Pinned() { check(cuMemAllocHost(&handle_, kSize)); }
};

// Physical memory, kChunk bytes.
struct Physical : Owned<CUmemGenericAllocationHandle, cuMemRelease> {
  Physical();
};

void set_access(CUdeviceptr at, std::size_t size, CUmemAccess_flags flags, CUdevice device = 0);

// Addresses for `chunks` chunks, and what is mapped there until the end, which waits for all work.
class Window {
 public:
  explicit Window(std::size_t chunks = 1);
  // Of one chunk, mapped and accessible.
  explicit Window(const Physical& physical);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  operator CUdeviceptr() const { return at_; }
  std::size_t size() const { return chunks_ * kChunk; }
  void map(std::size_t chunk, CUmemGenericAllocationHandle physical);
  void unmap();  // everything
  // For who frees the addresses or leaks them.
  void forget() { at_ = 0; }

 private:
  CUdeviceptr at_ = 0;
  std::size_t chunks_;
  std::size_t mapped_ = 0;  // as a bit per chunk
};

}  // namespace gmlake::mutants
