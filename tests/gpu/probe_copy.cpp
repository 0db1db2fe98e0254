// Copies and fills across the borders of a block's handles, verified byte for byte.
#include <cstdint>

#include "block.h"
#include "probe.h"

namespace gpu {
namespace {

constexpr std::size_t kPieces = 5;
constexpr std::size_t kOdd = 3 * kChunk / 2 + 123;  // starts and ends inside handles
constexpr std::size_t kLength = 2 * kChunk + 77777;

std::vector<std::uint8_t> numbered(std::size_t bytes, std::uint32_t seed) {
  std::vector<std::uint8_t> out(bytes);
  for (auto& byte : out) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return out;
}

void say(const char* probe, bool right) {
  answer(probe, right ? "yes" : "wrong_bytes", std::to_string(kLength) + " bytes over 3 handles");
}

void host_copies() {
  Block block(kPieces);
  const auto written = numbered(block.bytes(), 1);
  std::vector<std::uint8_t> read(block.bytes());
  GPU(cuMemcpyHtoD_v2_(block.at(), written.data(), block.bytes()));
  GPU(cuMemcpyDtoH_v2_(read.data(), block.at(), block.bytes()));
  say("copy_host_whole", read == written);
  const auto part = numbered(kLength, 2);
  std::vector<std::uint8_t> back(kLength);
  GPU(cuMemcpyHtoD_v2_(block.at() + kOdd, part.data(), kLength));
  GPU(cuMemcpyDtoH_v2_(back.data(), block.at() + kOdd, kLength));
  say("copy_host_part", back == part);
}

void device_copies() {
  Block from(kPieces);
  Block to(kPieces);
  const auto written = numbered(from.bytes(), 3);
  std::vector<std::uint8_t> read(from.bytes());
  GPU(cuMemcpyHtoD_v2_(from.at(), written.data(), from.bytes()));
  GPU(cuMemsetD8_v2_(to.at(), 0, to.bytes()));
  GPU(cuMemcpyDtoD_v2_(to.at() + 7, from.at() + kOdd, kLength));
  GPU(cuMemcpyDtoH_v2_(read.data(), to.at(), to.bytes()));
  bool right = true;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const bool inside = i >= 7 && i < 7 + kLength;
    right &= read[i] == (inside ? written[i - 7 + kOdd] : 0);
  }
  say("copy_device", right);
  CUdeviceptr native = 0;
  GPU(cuMemAlloc_v2_(&native, kLength));
  GPU(cuMemcpyDtoD_v2_(native, from.at() + kOdd, kLength));
  GPU(cuMemcpyDtoH_v2_(read.data(), native, kLength));
  right = true;
  for (std::size_t i = 0; i < kLength; ++i) right &= read[i] == written[i + kOdd];
  say("copy_to_native", right);
  GPU(cuMemFree_v2_(native));
}

void fills() {
  Block block(kPieces);
  std::vector<std::uint8_t> read(block.bytes());
  const auto filled = [&](std::uint8_t inside, std::uint8_t outside, std::size_t from,
                          std::size_t bytes) {
    GPU(cuMemcpyDtoH_v2_(read.data(), block.at(), block.bytes()));
    for (std::size_t i = 0; i < read.size(); ++i)
      if (read[i] != (i >= from && i < from + bytes ? inside : outside)) return false;
    return true;
  };
  GPU(cuMemsetD8_v2_(block.at(), 1, block.bytes()));
  GPU(cuMemsetD8_v2_(block.at() + kOdd, 2, kLength));
  say("fill_bytes", filled(2, 1, kOdd, kLength));
  const std::size_t at = kOdd & ~std::size_t{3};
  GPU(cuMemsetD32_v2_(block.at() + at, 0x03030303, kLength / 4));
  GPU(cuMemsetD8_v2_(block.at() + at + kLength / 4 * 4, 1, 200));
  GPU(cuMemsetD8_v2_(block.at(), 1, at));
  say("fill_words", filled(3, 1, at, kLength / 4 * 4));
}

}  // namespace

std::vector<Probe> copy_probes() {
  return {{"host_copies", host_copies}, {"device_copies", device_copies}, {"fills", fills}};
}

}  // namespace gpu
