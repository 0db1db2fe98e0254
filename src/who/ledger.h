// Who asked for the blocks that are live: each of sample_bytes and more is noted, and of smaller
// ones one for each sample_bytes that a thread has asked for, which then stands for so much. A
// place is the calls that led to the request, Python's as well, and the name that the program gave
// (gmlake_annotate).
//
// Thread-safe. A request or a free that is not noted takes no lock and no memory; one that is takes
// the ledger's and some host memory, and where it is new to the thread the unwinder's time (some
// microseconds). Where there is no host memory it is lost, and counted. Takes no lock of others
// and makes no call of the loader with its own held.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "stats/holder.h"
#include "stats/unproved.h"
#include "support/spin_lock.h"
#include "who/names.h"
#include "who/noted_blocks.h"
#include "who/python.h"
#include "who/stack.h"

namespace gmlake::who {

class Ledger {
 public:
  // From now on. Once, before the first block. `find`: by which Python is found; null: not at all.
  void begin(Bytes sample_bytes, FindSymbol find = nullptr) {
    if (find) python_.begin(find);
    sample_bytes_.store(sample_bytes, std::memory_order_release);
  }

  // Of a thread: what it has to ask for until a small block is noted.
  struct Countdown {
    std::int64_t left = 0;
    std::uint32_t random = 0;
  };
  // The block has been given out / is about to be given back.
  void allocated(std::uint64_t address, Bytes bytes, const stats::StreamName& stream, Name name,
                 Countdown& until) {
    const Bytes step = sample_bytes_.load(std::memory_order_relaxed);
    if (bytes >= step) return note(address, bytes, stream, name);
    until.left -= static_cast<std::int64_t>(bytes);
    if (until.left >= 0) return;
    if (is_due(until, step)) note(address, step, stream, name);
  }
  void freed(std::uint64_t address) {
    if (seen_[slot_of(address)].load(std::memory_order_relaxed) != 0) forget(address);
  }

  // The context has ended, and its blocks that are no stream's with it.
  void forget_context(const void* context) GMLAKE_EXCLUDES(mutex_);

  // Grows with each block that is noted, and each of them that is freed.
  std::uint64_t changes() const GMLAKE_EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    return changes_;
  }

  // The places with the most, so many. Their calls get their names here, by the loader, which may
  // take milliseconds for each, or as Loaded has them: no lock of ours is held then.
  enum class Calls { named, placed };
  stats::Holders holders(std::size_t most, const Names& names, Calls calls = Calls::named) const
      GMLAKE_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMostPlaces = 2048;  // all further ones are one
  static constexpr std::size_t kSlots = 4096;

  using Lines = std::shared_ptr<const std::vector<std::string>>;
  struct Place {
    Stack stack;
    PythonStack python;
    Lines lines;  // of `python`; null: none
    Name name = 0;
    stats::StreamName stream;
    Bytes live = 0, at_peak = 0, allocated = 0;
    std::uint64_t blocks = 0;
  };
  struct Block {
    std::uint32_t place;
    Bytes bytes;
    std::uint64_t since;  // now()
    const void* context;  // that it ends with; null for a stream's
  };

  // Calls that were made before: the places that they led to.
  struct Known {
    Name name = 0;
    std::uint32_t place = 0;
    Chain chain;
    PythonStack python;
  };
  // Calls from several places of one function have a frame in common, unless that is Python's.
  static constexpr std::size_t kFrames = 256, kWays = 8;
  struct Ways {
    std::array<Known, kWays> calls;
    std::size_t next = 0;
  };
  static std::size_t ways_of(const void* frame, const PythonStack& python) {
    return (reinterpret_cast<std::uintptr_t>(frame) * 0x9e3779b97f4a7c15 ^ python.hash()) >> 56;
  }
  // Where a call came from.
  struct Origin {
    const void* frame;
    PythonStack python;
    Name name;
  };

  static std::size_t hash_of(const Stack& stack, const Origin& origin) {
    return stack.hash() ^ origin.python.hash() ^ origin.name;
  }

  static std::uint64_t now();  // of Block::since: to some milliseconds, which is cheap
  struct Seen {
    Place place;
    double oldest_seconds = 0;
  };
  std::vector<Seen> seen(stats::Holders& all) const GMLAKE_EXCLUDES(mutex_);

  // By address: how many noted blocks there may be. No block of a busy program is looked for in
  // vain.
  static std::size_t slot_of(std::uint64_t address) {
    return static_cast<std::size_t>((address >> 9) * 0x9e3779b97f4a7c15 >> 52);
  }
  static bool is_due(Countdown& until, Bytes step);
  void note(std::uint64_t address, Bytes bytes, const stats::StreamName& stream, Name name)
      GMLAKE_EXCLUDES(mutex_);
  void forget(std::uint64_t address) GMLAKE_EXCLUDES(mutex_);
  // Apart, so that what is known needs no room for it.
  [[gnu::noinline]] void note_new(const Origin& origin, std::uint64_t address, Bytes bytes,
                                  const stats::StreamName& stream) GMLAKE_EXCLUDES(mutex_);
  bool note_known(const Origin& origin, std::uint64_t address, Bytes bytes,
                  const stats::StreamName& stream) GMLAKE_EXCLUDES(mutex_);
  void add(std::uint32_t place, std::uint64_t address, Bytes bytes, const stats::StreamName& stream)
      GMLAKE_REQUIRES(mutex_);
  void leave(const Block& block) GMLAKE_REQUIRES(mutex_);  // its place, which has it no more
  void remove(std::uint64_t address, const Block& block) GMLAKE_REQUIRES(mutex_);
  // So many more of those that share its slot are noted.
  void count_seen(std::uint64_t address, int more) GMLAKE_REQUIRES(mutex_);
  void leave_interpreter_out(Stack& stack) const;
  // Python's lines are asked for a new place only.
  Lines lines_for(const Stack& stack, const Origin& origin) GMLAKE_EXCLUDES(mutex_);
  const std::uint32_t* known_place(const Stack& stack, const Origin& origin)
      GMLAKE_REQUIRES(mutex_);
  std::uint32_t place_of(const Stack& stack, const Origin& origin, Lines lines)
      GMLAKE_REQUIRES(mutex_);

  std::atomic<Bytes> sample_bytes_{0};
  Python python_;
  std::atomic<std::uint64_t> lost_{0};
  std::array<std::atomic<std::uint32_t>, kSlots> seen_{};
  // Held for some ns by a request or a free; for longer by a report, which those sleep for.
  mutable RankedSpinLock<Rank::last> mutex_;
  std::deque<Place> places_ GMLAKE_GUARDED_BY(mutex_);
  std::unordered_multimap<std::size_t, std::uint32_t> by_hash_ GMLAKE_GUARDED_BY(mutex_);
  NotedBlocks<Block> blocks_ GMLAKE_GUARDED_BY(mutex_);
  std::vector<Ways> known_ GMLAKE_GUARDED_BY(mutex_);  // kFrames
  std::uint64_t changes_ GMLAKE_GUARDED_BY(mutex_) = 0;
  Bytes live_ GMLAKE_GUARDED_BY(mutex_) = 0;
  Bytes peak_ GMLAKE_GUARDED_BY(mutex_) = 0;
};

}  // namespace gmlake::who
