// Writes a pattern into device blocks and checks it when they are freed, all by asynchronous copies
// on the block's stream: the host waits only when the read-back buffer is full, so a pool that
// hands memory out before earlier work is done is caught.
//
// What a byte must be follows from the block's number and the byte's offset: each piece is a
// stretch of one table of random bytes, and number and offset choose where in the table it starts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "device.h"

enum class Touch { all, pages, ends, none };

struct Block {
  void* at = nullptr;
  std::size_t bytes = 0;
  std::uint64_t number = 0;  // unique in the run
  device::Stream stream = nullptr;
};

class Pattern {
 public:
  explicit Pattern(Touch touch) : touch_(touch) {}

  // Returns CUDA's number; 0 for success, as all the calls below.
  int open() {
    if (touch_ == Touch::none) return 0;
    void* memory = nullptr;
    if (int code = device::pinned(&memory, kTable); code != 0) return code;
    table_ = static_cast<unsigned char*>(memory);
    if (int code = device::pinned(&memory, kBuffer); code != 0) return code;
    buffer_ = static_cast<unsigned char*>(memory);
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < kTable; i += sizeof(std::uint64_t)) {
      std::uint64_t word = random();
      std::memcpy(table_ + i, &word, sizeof(word));
    }
    return 0;
  }

  // Writes the block's pattern, in its stream's order.
  int write(const Block& block) {
    return each_piece(block, [&](std::size_t offset, std::size_t bytes) {
      return device::upload(byte(block, offset), expected(block.number, offset), bytes,
                            block.stream);
    });
  }

  // Reads the pattern back, in its stream's order; compared at the next settle().
  int read(const Block& block) {
    return each_piece(block, [&](std::size_t offset, std::size_t bytes) {
      if (used_ + bytes > kBuffer) {
        if (int code = settle(); code != 0) return code;
      }
      reads_.push_back({block.number, offset, bytes, used_});
      void* to = buffer_ + used_;
      used_ += bytes;
      return device::download(to, byte(block, offset), bytes, block.stream);
    });
  }

  // Waits for all reads and compares them.
  int settle() {
    if (reads_.empty()) return 0;
    if (int code = device::wait_all(); code != 0) return code;
    for (const Read& read : reads_) {
      const unsigned char* want = expected(read.number, read.offset);
      const unsigned char* have = buffer_ + read.at;
      if (std::memcmp(want, have, read.bytes) == 0) continue;
      if (mismatches_++ != 0) continue;
      std::size_t i = 0;
      while (want[i] == have[i]) ++i;
      std::fprintf(stderr,
                   "client: block %llu has 0x%02x where 0x%02x was written, at offset %zu\n",
                   static_cast<unsigned long long>(read.number), have[i], want[i], read.offset + i);
    }
    reads_.clear();
    used_ = 0;
    return 0;
  }

  std::uint64_t mismatches() const { return mismatches_; }  // pieces that differed
  std::uint64_t bytes() const { return bytes_; }            // copied, both ways

 private:
  static constexpr std::size_t kTable = std::size_t{4} << 20;
  static constexpr std::size_t kBuffer = std::size_t{8} << 20;
  static constexpr std::size_t kPiece = std::size_t{1} << 20;  // the largest single copy
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kStep = std::size_t{2} << 20;  // `pages` touches one page in each

  struct Read {
    std::uint64_t number;
    std::size_t offset, bytes, at;
  };

  static void* byte(const Block& block, std::size_t offset) {
    return static_cast<unsigned char*>(block.at) + offset;
  }

  const unsigned char* expected(std::uint64_t number, std::size_t offset) const {
    std::uint64_t mixed = (number * 0x9e3779b97f4a7c15u) ^ ((offset + 1) * 0xc2b2ae3d27d4eb4fu);
    mixed ^= mixed >> 29;
    mixed *= 0xbf58476d1ce4e5b9u;
    return table_ + (mixed >> 32) % (kTable - kPiece);
  }

  // Calls visit(offset, bytes) for each piece to touch, until one returns an error.
  template <typename Visit>
  int each_piece(const Block& block, Visit visit) {
    if (touch_ == Touch::none) return 0;
    const std::size_t size = block.bytes;
    const std::size_t length = touch_ == Touch::all ? kPiece : kPage;
    const std::size_t step = touch_ == Touch::all ? kPiece : touch_ == Touch::pages ? kStep : size;
    std::size_t end = 0;  // of the last piece
    for (std::size_t offset = 0; offset < size; offset += step) {
      std::size_t bytes = std::min(length, size - offset);
      if (int code = visit(offset, bytes); code != 0) return code;
      end = offset + bytes;
      bytes_ += bytes;
    }
    if (end == size) return 0;
    std::size_t tail = std::min(kPage, size - end);
    bytes_ += tail;
    return visit(size - tail, tail);
  }

  Touch touch_;
  unsigned char* table_ = nullptr;
  unsigned char* buffer_ = nullptr;
  std::size_t used_ = 0;
  std::vector<Read> reads_;
  std::uint64_t mismatches_ = 0;
  std::uint64_t bytes_ = 0;
};
