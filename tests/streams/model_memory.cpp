// The model's blocks: what their uses and frees have to come after.
#include <algorithm>

#include "streams/model.h"

namespace gmlake::streams {

// A free in the legacy stream is work there, which comes before and after the work of blocking
// streams. An allocation is not (measured on driver 580), so no program relies on that.
unsigned Model::add_allocation(unsigned slot) {
  if (slot != kLegacy) return add(slot, {});
  const Works done = streams_[slot].done;
  const auto number = add(slot, {});
  streams_[slot].done = done;
  memory_in_legacy_.set(number);
  return number;
}

void Model::allocate(const Operation& o) {
  auto& block = blocks_[o.a];
  block = {};
  block.live = true;
  block.serial = ++serials_;
  if (o.kind == Kind::allocate) return;
  block.stream_ordered = true;
  if (streams_[o.b].capturing) {
    block.captured = o.b;
    add_captured(o.b, {Kind::allocate_async, o.a, 0, {}});
  } else {
    block.begin = add_allocation(o.b);
  }
}

std::vector<unsigned> Model::missing(const Block& block, bool write, const Works& done) const {
  std::vector<unsigned> all;
  if (block.begin && !done[*block.begin]) all.push_back(*block.begin);
  for (const auto& use : block.uses)
    if ((write || use.write) && !done[use.work]) all.push_back(use.work);
  return all;
}

Model::Verdict Model::use(const Operation& o) {
  auto& block = blocks_[o.a];
  if (block.captured) return problem("memory of a graph");
  const bool write = o.kind == Kind::write;
  if (auto wrong = missing(block, write, before(o.b)); !wrong.empty())
    return Problem{"a use without order", wrong};
  block.uses.push_back({add(o.b, {}), write, streams_[o.b].life});
  block.written = block.written || write;
  return {};
}

Model::Verdict Model::release(const Operation& o) {
  auto& block = blocks_[o.a];
  const bool by_host = o.kind == Kind::free;
  if (!by_host && streams_[o.b].capturing) {
    // cuda.h, cuMemFreeAsync: in a capture only what the graph allocates can be freed.
    if (!block.captured || *block.captured != o.b) return problem("not memory of the graph");
    add_captured(o.b, {Kind::free_async, o.a, 0, {}});
    block.live = false;
    return {};
  }
  if (block.captured) return problem("memory of a graph");
  // Uses on recorded streams are gmlake's to wait for.
  Block rest = block;
  std::erase_if(rest.uses, [&](const Use& use) {
    return std::find(block.recorded.begin(), block.recorded.end(), use.life) !=
           block.recorded.end();
  });
  // cuda.h, cuMemFree: waits for memory of its own kind; for stream-ordered memory "Callers must
  // ensure that all accesses to these pointer have completed".
  if (by_host) rest.begin.reset();
  if (!by_host || block.stream_ordered)
    if (auto wrong = missing(rest, true, by_host ? host_ : before(o.b)); !wrong.empty())
      return Problem{"a free without order", wrong};
  if (!by_host) add(o.b, {});
  block.live = false;
  return {};
}

}  // namespace gmlake::streams
