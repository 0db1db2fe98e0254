// Memory pools of the driver that the program allocates from: what they own of a device counts for
// the limits and is shown, though the memory is none of ours. A pool is asked only when a request
// may not fit into what it was seen to have free.
//
// Pools whose creation has been seen, and the devices' own; not those of another process, whose
// memory is that process's. Thread-safe.
#pragma once

#include <unordered_map>

#include "hooks/own_memory.h"
#include "hooks/real.h"

namespace gmlake::hooks {

class OwnPools {
  struct Known {
    int device = 0;
    Bytes owns = 0;
    Bytes left = 0;  // of what it was seen to have free
  };
  using All = std::unordered_map<CUmemoryPool, Known>;

 public:
  void add(CUmemoryPool pool, int device);
  void add_if_new(CUmemoryPool pool, int device);
  // Around cuMemPoolDestroy: its handle may come back as another pool's at once.
  class Ends {
   public:
    Ends(OwnPools& pools, CUmemoryPool pool) : pools_(pools), is_(pools.take(pool)) {}
    void settle(bool succeeded) { pools_.settle(std::move(is_), succeeded); }

   private:
    OwnPools& pools_;
    All::node_type is_;
  };
  // A native call is about to allocate there. The books that it counts in; null if there is
  // nothing to count.
  pool::DevicePool* books_of(const RealDriver& real, CUmemoryPool pool, Bytes bytes);
  // The pool is asked what it owns now; all are that count in the same books.
  void ask(const RealDriver& real, CUmemoryPool pool, pool::DevicePool& books);
  void ask_all(const RealDriver& real, pool::DevicePool& books);

 private:
  All::node_type take(CUmemoryPool pool);
  void settle(All::node_type is, bool gone);

  RankedMutex<Rank::registry> mutex_;
  All pools_ GMLAKE_GUARDED_BY(mutex_);
};
OwnPools& own_pools();

template <typename Native>
CUresult allocate_in(const RealDriver& real, CUmemoryPool pool, Bytes bytes, Native native) {
  pool::DevicePool* books = nullptr;
  bool may = true;
  const bool asked = guarded([&] {
    books = own_pools().books_of(real, pool, bytes);
    may = !books || claim_beside(*books, bytes);
  });
  if (!may) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult result = native();
  if (asked && books)
    (void)guarded([&] {
      books->unclaim_beside(bytes);
      own_pools().ask(real, pool, *books);
    });
  return result;
}

}  // namespace gmlake::hooks
