// Memory of graphs (CUDA programming guide, "Graph Memory Nodes"): an allocation node's address is
// its own from the beginning to the end of the node; physical memory is there from a launch to the
// free that follows.
//
// A launch maps the memory when it is called, and what frees it unmaps it when its turn in the
// order of work comes. So between the two, launches of a graph can be under way one after the
// other.
#pragma once

#include "memory.h"

namespace gmlake::simcuda {

struct GraphBlock {
  ~GraphBlock();

  Address at = 0;
  Bytes size = 0;  // as requested
  CUdevice device = 0;
  CUgraph owner = nullptr;      // the graph with the allocation node
  std::vector<CUgraph> freers;  // graphs with a free node for it
  unsigned uses = 0;            // launches whose free has not had its turn; under memory's lock
};
using GraphBlockRef = std::shared_ptr<GraphBlock>;

// Reserves addresses; null if there are none.
GraphBlockRef new_graph_block(CUdevice device, Bytes size);
GraphBlockRef find_graph_block(Address at);
// Whether [at, at + size) lies in one, live or not.
bool in_graph_block(Address at, Bytes size);

// From a launch on the memory is there: INVALID_VALUE if it still is from another.
CUresult begin_graph_use(const GraphBlockRef& block);
// The order of calls has come to its free, and nobody else may free it: INVALID_VALUE if it is not
// there. The use ends when the free has its turn.
CUresult begin_graph_free(const GraphBlock& block);
void end_graph_use(const GraphBlock& block);
bool graph_memory_is_live(const GraphBlock& block);

// The end of a use; called with memory's lock held, by whoever frees an allocation.
void give_back_graph_memory(std::map<Address, Allocation>::iterator allocation);

// cuDeviceGetGraphMemAttribute. Nothing is kept for later launches: what is reserved is used.
struct GraphMemory {
  Bytes used = 0;
  Bytes used_high = 0;
  Bytes reserved_high = 0;
};
// Of a device; under memory's lock.
GraphMemory& graph_memory(CUdevice device);

}  // namespace gmlake::simcuda
