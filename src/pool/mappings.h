// The pool's physical memory and virtual ranges: the driver calls of growing, stitching and giving
// back, and nothing of policy.
//
// home: one reservation with twice the device's memory in addresses, so that holes left by giving
// back never run it out; a handle is mapped at its home offset from its creation to its release.
// arenas: large reservations out of which windows get their virtual addresses, so that whether an
// address is the pool's is a few comparisons.
//
// Not thread-safe: guarded by the growth lock. A failing call leaves no trace, but for an unmap:
// its range is kept and tried again before any memory is created or given back.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "driver/device.h"
#include "memory/plan.h"
#include "pool/address_ranges.h"
#include "pool/peers.h"
#include "pool/reach.h"

namespace gmlake::pool {

class Mappings {
 public:
  Mappings(driver::Device& device, Bytes granule, Reach& reach, Peers& peers)
      : device_(device), granule_(granule), reach_(reach), peers_(peers) {}
  ~Mappings();  // unmaps and releases everything
  Mappings(const Mappings&) = delete;
  Mappings& operator=(const Mappings&) = delete;

  // Reserves the home range, once.
  Status open();
  // Creates handles of these sizes and maps them at home side by side from `start` on. Tells how
  // many exist afterwards in `created`, which on failure may be fewer.
  Status grow(Bytes start, const std::vector<Bytes>& sizes, std::size_t& created) {
    return grow(start, sizes, {}, created);
  }
  // In place of the handle at `start`, which no window may show, makes some of these sizes. With
  // `beside` they are created before its memory goes, if there is room. Gives how many there are,
  // of which what is lacking is absent; an error: nothing has changed.
  struct Divided {
    std::size_t made = 0;
    Status done;          // why there are not all
    bool beside = false;  // for a moment there was all of it twice
  };
  Result<Divided> divide(Bytes start, const std::vector<Bytes>& sizes, bool beside);
  // Unmaps the handle at `start` and gives its memory back to the device. No window may show it.
  Status shrink(Bytes start);

  struct Range {
    driver::Address start = 0;
    Bytes size = 0;
    Bytes offset = 0;  // of the first piece's first byte
  };
  // The handles under `pieces`, in their order, and where in the first of them the first piece
  // begins.
  std::vector<driver::Physical> handles_under(const std::vector<memory::Piece>& pieces,
                                              Bytes& offset) const;
  // Maps the handles of `pieces` side by side into a new range.
  Result<Range> map_window(const std::vector<memory::Piece>& pieces);
  // Opens whole mappings to another device; and all there are, with those to come, or closes them.
  Status open_to(int device, driver::Address at, Bytes size);
  Status open_all_to(int device, bool may);
  // A window, or handles in the home range, which are released with it.
  Status unmap(driver::Address at, Bytes size);

 private:
  // `ready`: the first of them, or all, created already.
  Status grow(Bytes start, const std::vector<Bytes>& sizes,
              const std::vector<driver::Handle>& ready, std::size_t& created);
  std::vector<driver::Handle> create_all(const std::vector<Bytes>& sizes);
  void release(const std::vector<driver::Handle>& handles, std::size_t from);
  tl::unexpected<Error> give_up(const Range& range, Bytes mapped, Error error);
  // Access for this device and those that may reach all.
  Status allow(driver::Address at, Bytes size);
  template <typename Visit>
  void each_range(Visit visit) const;
  // What is stuck is tried again too, the last first.
  Status unmap_stuck();
  Result<driver::Address> take_addresses(Bytes size);
  void give_addresses(driver::Address at, Bytes size);

  driver::Device& device_;
  const Bytes granule_;
  Reach& reach_;
  Peers& peers_;
  std::map<Bytes, driver::Physical> handles_;             // by home offset
  std::map<driver::Address, Bytes> windows_;              // those that are whole
  std::vector<std::pair<driver::Address, Bytes>> stuck_;  // ranges that could not be unmapped
  std::array<AddressRanges, Reach::kMostArenas> free_in_arena_;
};

}  // namespace gmlake::pool
