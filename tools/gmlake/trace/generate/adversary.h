// Allocation sequences made to fragment, as no program means to: what they are called and how they
// are asked for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/units.h"
#include "trace/csv_writer.h"

namespace gmlake::trace::generate {

// X(name, what it does)
#define GMLAKE_PATTERNS(X)                                                         \
  X(checkerboard, "equal blocks; every other one is freed; blocks of double size") \
  X(comb, "large blocks between small ones that stay; then larger blocks")         \
  X(staircase, "sizes that grow by a sixteenth at a time, and shrink again")       \
  X(sawtooth, "sizes 512 bytes above a multiple of 2 MiB, up to 64 MiB")           \
  X(doubling, "arrays that grow by a half or to the double, by copying")           \
  X(random, "sizes of all magnitudes, random lifetimes, at a fixed level")         \
  X(survivors, "20 small blocks a large one; one in a hundred survives three rounds")

enum class Pattern {
#define X(name, text) name,
  GMLAKE_PATTERNS(X)
#undef X
};

struct PatternName {
  std::string_view name, text;
  Pattern pattern;
};
inline constexpr std::array kPatterns{
#define X(name, text) PatternName{#name, text, Pattern::name},
    GMLAKE_PATTERNS(X)
#undef X
};

struct Adversary {
  Pattern pattern = Pattern::random;
  Bytes live = 4 * GiB;  // never more at once
  std::uint64_t rounds = 8, seed = 1;
};

// What can not be, in words; nothing if it can be generated.
std::optional<std::string> problem(const Adversary& adversary);

// One stream; everything is freed at the end. The same adversary gives the same rows everywhere.
// `writer` is open and stays so; `adversary` has no problem().
void generate(const Adversary& adversary, CsvWriter& writer);

}  // namespace gmlake::trace::generate
