// Executable graphs: a copy of a graph as it was, and its launches.
#pragma once

#include <unordered_map>

#include "graph.h"

namespace gmlake::simcuda {

struct Executable {
  GraphRef graph;  // only the driver sees it; the program names its nodes by the originals
  std::weak_ptr<Graph> source;
  cuuint64_t flags = 0;
  Point last;  // the end of the last launch
  // Where each node's work goes. A stream each: nothing but the edges orders two nodes.
  std::unordered_map<const Node*, StreamRef> branches;
};
using ExecutableRef = std::shared_ptr<Executable>;

// All that follows is called with the lock of graphs held.
CUresult find_executable(CUgraphExec handle, Executable*& executable);
// `error` is the node that is in the way, if one is.
CUresult instantiate(CUgraphExec* result, Graph& graph, cuuint64_t flags, Node*& error);
CUresult destroy_executable(CUgraphExec handle);
// The node that stands for one of the graph it was made from.
CUresult find_node(const Executable& executable, CUgraphNode original, Node*& node);

std::size_t live_executables();  // for the report of leaks

// Gives everything to the device, behind the stream's last work and before its next.
CUresult launch(Executable& executable, const StreamRef& stream);

// Takes over what the nodes of a graph of the same shape do, or nothing.
void update(Graph& executable, const Graph& from, CUgraphExecUpdateResultInfo& outcome);

}  // namespace gmlake::simcuda
