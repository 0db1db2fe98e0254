// The patterns, one function each; see adversary.h.
#include "trace/generate/adversary.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "trace/generate/random.h"
#include "trace/generate/recorder.h"

namespace gmlake::trace::generate {
namespace {

constexpr Bytes kUnit = 512;  // of the sizes: what a program's own alignment would give

// Blocks in a definite order: rows must not depend on how a container destroys its elements.
class Blocks {
 public:
  Blocks(Recorder& recorder, const Adversary& adversary)
      : random(adversary.seed, static_cast<std::uint64_t>(adversary.pattern)),
        recorder_(recorder),
        most_(adversary.live) {}
  ~Blocks() {
    drop_if([](std::size_t) { return true; });
  }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  std::size_t size() const { return blocks_.size(); }
  Bytes bytes(std::size_t index) const { return blocks_[index].bytes(); }
  bool fits(Bytes bytes) const { return live_ + bytes <= most_; }

  void add(Bytes bytes) {
    blocks_.emplace_back(recorder_, bytes, 0);
    live_ += bytes;
  }
  void drop(std::size_t index) {
    live_ -= bytes(index);
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  template <typename Predicate>
  void drop_if(Predicate predicate) {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (!predicate(i)) continue;
      live_ -= bytes(i);
      blocks_[i].drop();
    }
    std::erase_if(blocks_, [](const Tensor& block) { return !block; });
  }
  void drop_half() {
    drop_if([this](std::size_t) { return random.between(0, 1) == 0; });
  }
  void drop_random_until_fits(Bytes bytes) {
    while (!fits(bytes)) drop(random.between(0, size() - 1));
  }

  // A size with the order of magnitude drawn first: as many around 1 KiB as around 1 MiB.
  Bytes magnitude(Bytes low, Bytes high) {
    Bytes octaves = 0;
    while (low << (octaves + 1) <= high) ++octaves;
    const auto floor = low << random.between(0, octaves);
    return even(std::min(high, random.between(floor, 2 * floor - 1)));
  }
  Bytes between(Bytes low, Bytes high) { return even(random.between(low, high)); }
  Bytes most() const { return most_; }

  Random random;

 private:
  static Bytes even(Bytes bytes) { return round_up(bytes, kUnit); }

  Recorder& recorder_;
  Bytes most_, live_ = 0;
  std::vector<Tensor> blocks_;
};

void checkerboard(Blocks& blocks) {
  const auto size = blocks.between(2 * MiB, 24 * MiB);
  while (blocks.fits(size)) blocks.add(size);
  blocks.drop_if([](std::size_t index) { return index % 2 == 0; });
  while (blocks.fits(2 * size)) blocks.add(2 * size);
  blocks.drop_half();
}

void comb(Blocks& blocks) {
  const auto gap = blocks.between(8 * MiB, 32 * MiB);
  for (auto tooth = blocks.between(MiB + 1, 2 * MiB); blocks.fits(tooth + gap);
       tooth = blocks.between(MiB + 1, 2 * MiB)) {
    blocks.add(tooth);
    blocks.add(gap);
  }
  const auto large = [&](std::size_t index) { return blocks.bytes(index) > 2 * MiB; };
  blocks.drop_if(large);
  while (blocks.fits(gap + gap / 2)) blocks.add(round_up(gap + gap / 2, kUnit));
  blocks.drop_if(large);
  blocks.drop_half();
}

void staircase(Blocks& blocks) {
  const auto step = [&](Bytes bytes) {
    while (!blocks.fits(bytes)) blocks.drop(0);  // the oldest
    blocks.add(bytes);
  };
  auto size = blocks.between(MiB, 2 * MiB);
  for (; size <= blocks.most() / 8; size += round_up(size / 16, kUnit)) step(size);
  size = std::min(size, blocks.most() / 8);
  for (; size >= MiB; size -= round_up(size / 16, kUnit)) step(size);
}

void sawtooth(Blocks& blocks) {
  for (int tooth = 0; tooth < 16; ++tooth) {
    for (Bytes chunks = 1; chunks <= 32; chunks += blocks.random.between(1, 3)) {
      const auto size = chunks * 2 * MiB + kUnit;
      blocks.drop_random_until_fits(size);
      blocks.add(size);
    }
  }
}

void doubling(Blocks& blocks) {
  for (int step = 0; step < 512; ++step) {
    if (blocks.size() < 16) {
      blocks.add(blocks.magnitude(64 * KiB, 2 * MiB));
      continue;
    }
    const auto index = blocks.random.between(0, blocks.size() - 1);
    const auto old = blocks.bytes(index);
    const auto grown = round_up(blocks.random.between(0, 1) == 0 ? old + old / 2 : 2 * old, kUnit);
    if (blocks.fits(grown) && grown <= blocks.most() / 4) blocks.add(grown);
    blocks.drop(index);  // copied, or done with
  }
}

void random(Blocks& blocks) {
  for (int step = 0; step < 2000; ++step) {
    const auto size = blocks.magnitude(kUnit, blocks.most() / 16);
    blocks.drop_random_until_fits(size);
    blocks.add(size);
  }
}

void survivors(Blocks& blocks) {
  // The blocks that are there already have survived; a third of them, the oldest, go now.
  const auto old = blocks.size() / 3;
  blocks.drop_if([&](std::size_t index) { return index < old; });
  const auto kept = blocks.size();
  for (std::uint64_t step = 0;; ++step) {
    const bool large = step % 21 == 20;
    const auto size =
        large ? blocks.magnitude(MiB + kUnit, 64 * MiB) : blocks.magnitude(kUnit, MiB);
    if (!blocks.fits(size)) break;
    blocks.add(size);
  }
  blocks.drop_if(
      [&](std::size_t index) { return index >= kept && blocks.random.between(1, 100) > 1; });
}

}  // namespace

std::optional<std::string> problem(const Adversary& adversary) {
  if (adversary.live < 256 * MiB || adversary.live > TiB)
    return fmt::format("--live is {} bytes; give a size from 256MiB to 1TiB", adversary.live);
  if (adversary.rounds == 0 || adversary.rounds > 100000)
    return fmt::format("--rounds is {}; give a number from 1 to 100000", adversary.rounds);
  return {};
}

void generate(const Adversary& adversary, CsvWriter& writer) {
  Recorder recorder(writer);
  Blocks blocks(recorder, adversary);
  for (std::uint64_t round = 0; round < adversary.rounds; ++round) {
    switch (adversary.pattern) {
#define X(name, text) \
  case Pattern::name: \
    name(blocks);     \
    break;
      GMLAKE_PATTERNS(X)
#undef X
    }
  }
}

}  // namespace gmlake::trace::generate
