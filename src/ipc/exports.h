// What this process shares: blocks of its pools by number, and the handles under them by key. The
// driver exports a handle once, by which it can be passed on as often as others want it; the
// descriptor is kept until the handle is given back to the device, or others need its place.
//
// Thread-safe. The driver is called with no lock held but that of add(), for which only others who
// share something wait.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ipc/descriptor.h"
#include "ipc/memory.h"
#include "ipc/message.h"
#include "support/ranked_mutex.h"

namespace gmlake::ipc {

// A block as its pool knows it.
struct Shown {
  bool again = false;  // it was shared before
  Bytes bytes = 0;
  Bytes offset = 0;
  std::vector<driver::Physical> handles;
};

class Exports {
 public:
  // Whether the block that was shared under that address is still live.
  using IsLive = std::function<bool(driver::Address)>;
  Exports(Memory& memory, IsLive is_live) : memory_(memory), is_live_(std::move(is_live)) {}
  Exports(const Exports&) = delete;
  Exports& operator=(const Exports&) = delete;

  // The number of the block at `at`, the same for as long as it lives. `show()` tells where it is,
  // or that it is no block.
  Result<std::uint64_t> add(driver::Address at, const std::function<std::optional<Shown>()>& show)
      GMLAKE_EXCLUDES(adding_, mutex_);

  // Sizes of blocks that are gone and were never opened by anybody since this was last asked.
  std::vector<Bytes> take_unopened() GMLAKE_EXCLUDES(mutex_);

  // The handle is about to be given back to the device. True: others are to be told.
  bool forget(driver::Handle handle) GMLAKE_EXCLUDES(mutex_) {
    return any_.load(std::memory_order_acquire) && forget_shared(handle);
  }
  // Keys of those given back since this was last asked.
  std::vector<std::uint64_t> take_gone() GMLAKE_EXCLUDES(mutex_);

  // Answers to questions of others.
  void answer_parts(const Message& asked, Message& answer) GMLAKE_EXCLUDES(mutex_);
  using Passed = std::vector<std::shared_ptr<const Descriptor>>;
  Passed answer_give(const Message& asked, Message& answer) GMLAKE_EXCLUDES(mutex_);

  struct Size {
    std::size_t blocks, handles, descriptors;
  };
  Size size() const GMLAKE_EXCLUDES(mutex_);

  // Descriptors that are kept, at most: what a process is commonly allowed is 1024.
  static constexpr std::size_t kMostKept = 256;

 private:
  struct Block {
    driver::Address at = 0;
    Bytes bytes = 0;
    Bytes offset = 0;
    std::vector<Part> parts;
    bool opened = false;
  };
  struct Handle {
    driver::Handle handle = 0;
    std::shared_ptr<const Descriptor> descriptor;  // null: exported again when it is wanted
    std::list<std::uint64_t>::iterator kept;       // where it has one
  };

  bool forget_shared(driver::Handle handle) GMLAKE_EXCLUDES(mutex_);
  std::shared_ptr<const Descriptor> descriptor_of(std::uint64_t key) GMLAKE_EXCLUDES(mutex_);
  void keep(std::uint64_t key, std::shared_ptr<const Descriptor> descriptor)
      GMLAKE_REQUIRES(mutex_);
  void remove(std::uint64_t number) GMLAKE_REQUIRES(mutex_);
  void remove_dead() GMLAKE_EXCLUDES(mutex_);

  Memory& memory_;
  const IsLive is_live_;
  std::atomic<bool> any_{false};
  RankedMutex<Rank::registry> adding_;
  mutable RankedMutex<Rank::last> mutex_;
  std::uint64_t last_block_ GMLAKE_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_key_ GMLAKE_GUARDED_BY(mutex_) = 0;
  std::size_t look_again_ GMLAKE_GUARDED_BY(mutex_) = 64;  // at this many blocks, for dead ones
  std::unordered_map<std::uint64_t, Block> blocks_ GMLAKE_GUARDED_BY(mutex_);
  std::unordered_map<driver::Address, std::uint64_t> numbers_ GMLAKE_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Handle> handles_ GMLAKE_GUARDED_BY(mutex_);
  std::unordered_map<driver::Handle, std::uint64_t> keys_ GMLAKE_GUARDED_BY(mutex_);
  std::list<std::uint64_t> kept_ GMLAKE_GUARDED_BY(mutex_);  // keys with a descriptor, oldest first
  std::vector<std::uint64_t> gone_ GMLAKE_GUARDED_BY(mutex_);
  std::vector<Bytes> unopened_ GMLAKE_GUARDED_BY(mutex_);
};

}  // namespace gmlake::ipc
