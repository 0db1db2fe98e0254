// What this process has opened of others: blocks by address, the handles under them by their
// owner's key. Opening a block again gives the same address and counts. What nobody has open any
// more stays mapped, a bounded number of blocks, until its owner gives the memory back or ends;
// so a block that is opened and closed in turn costs the driver's calls once.
//
// Thread-safe. Another process is asked, and the driver called, with no lock held but that of
// open(), for which only others who open wait.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ipc/meeting_place.h"
#include "ipc/memory.h"
#include "ipc/message.h"
#include "ipc/ticket.h"
#include "support/ranked_mutex.h"
#include "support/result.h"

namespace gmlake::ipc {

// Why a block could not be opened.
struct Refusal {
  enum Why {
    gone,           // its process
    freed,          // the block
    unreachable,    // the process does not answer, or is another user's
    other_context,  // this process has memory of that one open in another context of the device
    driver,         // `code` says why
  };
  Why why = gone;
  int code = 0;
  const char* what = "";
};

class Imports {
 public:
  struct Limits {
    std::size_t idle_blocks = 32;
    unsigned seconds = 10;  // for an answer of another process
  };
  // Who listens to what that process gives back from now on.
  using Follow = std::function<bool(const ProcessName&, Descriptor)>;
  Imports(Memory& memory, Folders folders, Follow follow)
      : Imports(memory, std::move(folders), std::move(follow), Limits()) {}
  Imports(Memory& memory, Folders folders, Follow follow, Limits limits)
      : memory_(memory),
        folders_(std::move(folders)),
        follow_(std::move(follow)),
        limits_(limits) {}
  Imports(const Imports&) = delete;
  Imports& operator=(const Imports&) = delete;

  // For the context, which is current to the thread and of that device.
  tl::expected<driver::Address, Refusal> open(const Ticket& ticket, driver::Context context,
                                              int device) GMLAKE_EXCLUDES(opening_, mutex_);
  // False: it is not open here. Waits for the work of its context if it is open no more then.
  bool close(driver::Address at) GMLAKE_EXCLUDES(mutex_);
  // The block that `at` lies in, if it is open: its start and the bytes its owner asked for.
  struct Range {
    driver::Address start = 0;
    Bytes bytes = 0;
    driver::Context context = nullptr;
    bool synchronous = false;
  };
  // With a change of what the program has said: that synchronous copies there are waited for.
  std::optional<Range> range_of(driver::Address at, std::optional<bool> synchronous = {})
      GMLAKE_EXCLUDES(mutex_);

  // The owner has given these back, or is no more: nothing of it is kept that is not open.
  void drop(const ProcessName& owner, std::span<const Part> parts) GMLAKE_EXCLUDES(mutex_);
  void drop_owner(const ProcessName& owner) GMLAKE_EXCLUDES(mutex_);
  // The context is gone, and what was open there with it.
  void context_ends(driver::Context context) GMLAKE_EXCLUDES(mutex_);

  struct Size {
    std::size_t open, idle, handles, owners;
  };
  Size size() const GMLAKE_EXCLUDES(mutex_);

 private:
  // A handle of another process, ours until nobody uses it.
  struct Imported {
    Imported(Memory& from, const driver::Physical& its) : memory(from), physical(its) {}
    ~Imported() { memory.release(physical.handle); }
    Imported(const Imported&) = delete;
    Imported& operator=(const Imported&) = delete;
    Memory& memory;
    const driver::Physical physical;
  };
  using Held = std::shared_ptr<const Imported>;

  struct Opened {
    ProcessName owner;
    std::uint64_t block = 0;
    driver::Context context = nullptr;
    int device = 0;
    driver::Address start = 0;  // what the program was given
    Bytes bytes = 0;
    driver::Address mapped = 0;
    Bytes mapped_bytes = 0;
    std::vector<std::uint64_t> keys;
    std::vector<Held> handles;
    bool synchronous = false;
    unsigned count = 0;
    unsigned closing = 0;  // threads that wait for its last work
    bool stale = false;    // not to be kept
  };
  struct Owner {
    std::shared_ptr<const Descriptor> questions;
    // Null for one that is just being asked for; not there if it was given back meanwhile.
    std::unordered_map<std::uint64_t, Held> handles;
  };
  // What its owner says of a block.
  struct Answer {
    Bytes offset = 0;
    Bytes bytes = 0;
    std::vector<Part> parts;
  };
  // What is no more to be had: unmapped and released once the lock is given back.
  struct Leaving {
    std::list<Opened> blocks;
    std::vector<Held> handles;
  };

  tl::expected<std::shared_ptr<const Descriptor>, Refusal> connection(const ProcessName& owner)
      GMLAKE_REQUIRES(opening_) GMLAKE_EXCLUDES(mutex_);
  static tl::expected<Answer, Refusal> ask(std::uint64_t block, int socket);
  std::optional<Refusal> fetch(const ProcessName& owner, int socket, const Answer& answer,
                               Opened& block) GMLAKE_REQUIRES(opening_) GMLAKE_EXCLUDES(mutex_);
  std::optional<Refusal> import(const ProcessName& owner, int socket, std::span<const Part> missing,
                                std::unordered_map<std::uint64_t, Held>& out)
      GMLAKE_REQUIRES(opening_) GMLAKE_EXCLUDES(mutex_);
  // The conversation has broken off: what comes later is no answer to the next question.
  void hang_up(const ProcessName& owner) GMLAKE_EXCLUDES(mutex_);
  Opened* find(const Ticket& ticket, driver::Context context) GMLAKE_REQUIRES(mutex_);
  void keep_idle_in_bounds(Leaving& leaving) GMLAKE_REQUIRES(mutex_);
  void forget(Owner& owner, std::uint64_t key, Leaving& leaving) GMLAKE_REQUIRES(mutex_);
  template <typename Which>
  void let_go(Which which, Leaving& leaving) GMLAKE_REQUIRES(mutex_);
  void end(Leaving& leaving) GMLAKE_EXCLUDES(mutex_);

  Memory& memory_;
  const Folders folders_;
  const Follow follow_;
  const Limits limits_;
  RankedMutex<Rank::registry> opening_;
  mutable RankedMutex<Rank::last> mutex_;
  std::map<ProcessName, Owner> owners_ GMLAKE_GUARDED_BY(mutex_);
  std::list<Opened> opened_ GMLAKE_GUARDED_BY(mutex_);  // of the idle ones, the oldest first
};

}  // namespace gmlake::ipc
