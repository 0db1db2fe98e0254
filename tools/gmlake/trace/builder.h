// Puts events into a Trace one by one: numbers blocks, CUDA events, streams and threads densely and
// pairs frees.
#pragma once

#include <optional>
#include <unordered_map>

#include "trace/mixed_hash.h"
#include "trace/trace.h"

namespace gmlake::trace {

class Builder {
 public:
  enum class Outcome { added, live_already, unknown_block, too_many, too_large };

  // `address` names the block until its free. live_already: an allocation of a block that is live;
  // unknown_block: a free of one that is not (counted, nothing added); too_many: an index does not
  // fit; too_large: more is live than all sums can hold.
  Outcome allocate(std::uint64_t address, Bytes bytes, std::uint64_t time, std::uint64_t stream,
                   std::uint64_t thread);
  Outcome free(std::uint64_t address, std::uint64_t time, std::uint64_t stream,
               std::uint64_t thread);
  // A row that puts streams in order: `name` is the CUDA event's.
  Outcome order(Kind kind, std::uint64_t name, std::uint64_t time, std::uint64_t stream,
                std::uint64_t thread);

  // A CUDA event by that name is another one from here on.
  void forget(std::uint64_t name) { cuda_events_.erase(name); }
  // A row about an event of the recorder's own pool, or (Kind::complete, Kind::work) about all of a
  // stream. One about a fence that is not known is left out.
  Outcome progress(Kind kind, std::uint64_t fence, std::uint64_t time, std::uint64_t stream,
                   std::uint64_t thread, bool passed = true);
  // The legacy stream waits for this one.
  Outcome blocking(std::uint64_t stream, std::uint64_t thread);
  bool is_live(std::uint64_t address) const { return live_.count(address) != 0; }

  Trace& trace() { return trace_; }
  Trace finish() &&;

 private:
  struct Live {
    std::uint32_t block;
    Bytes bytes;
  };
  std::optional<std::uint16_t> number_of_stream(std::uint64_t stream, std::uint64_t thread);
  Outcome add(Kind kind, std::uint32_t block, Bytes bytes, std::uint64_t time, std::uint64_t stream,
              std::uint64_t thread);

  template <typename Number>
  using Numbers = std::unordered_map<std::uint64_t, Number, MixedHash>;

  Trace trace_;
  Bytes live_bytes_ = 0;
  Numbers<Live> live_;
  struct Fence {
    std::uint32_t number;
    std::uint64_t stream;
  };
  Numbers<std::uint32_t> cuda_events_;
  Numbers<Fence> fences_;
  Numbers<std::uint16_t> streams_, threads_, own_streams_;
};

}  // namespace gmlake::trace
