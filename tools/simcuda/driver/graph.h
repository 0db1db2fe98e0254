// Graphs: nodes and the edges between them, and how a node becomes work.
//
// One lock for graphs, captures and executable graphs. It is taken before memory's lock and before
// the scheduler's. cuda.h says of graphs that they are not thread-safe; here they are.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "event.h"

namespace gmlake::simcuda {

struct Graph;
struct Node;
struct GraphBlock;  // graph_memory.h
using GraphRef = std::shared_ptr<Graph>;
using NodeRef = std::shared_ptr<Node>;

using GraphLock = std::unique_lock<std::mutex>;
GraphLock lock_graphs();

// What a node does: cuda.h's own description, and what that refers to.
struct NodeParams {
  CUgraphNodeParams what{};           // of the newest version, whichever the program used
  std::shared_ptr<const void> owned;  // kernel arguments, access descriptors
  GraphRef child;
  EventRef event;
  std::shared_ptr<GraphBlock> block;
};

struct Node {
  CUgraphNode handle = nullptr;
  CUgraphNode original = nullptr;  // the node this one was cloned from, directly
  Graph* graph = nullptr;
  NodeParams params;
  Work work;
  std::vector<Node*> dependencies;
  bool enabled = true;  // in an executable graph

  CUgraphNodeType type() const { return params.what.type; }
};

struct Graph : std::enable_shared_from_this<Graph> {
  CUgraph handle = nullptr;
  CUgraph original = nullptr;
  Node* parent = nullptr;  // of a child graph: the node that owns it
  bool capturing = false;
  unsigned executables = 0;
  std::vector<NodeRef> nodes;
};

// All that follows is called with the lock held.

// cuda.h lists INVALID_VALUE alone for handles of graphs that are none.
CUresult find_graph(CUgraph handle, Graph*& graph);
CUresult find_node(CUgraphNode handle, Node*& node);
// The nodes behind handles, all of one graph.
CUresult find_nodes(const Graph& graph, const CUgraphNode* handles, std::size_t count,
                    std::vector<Node*>& nodes);

std::size_t live_graphs();  // for the report of leaks

// Edges that say more than "after" are between kernels that communicate while they run, which is
// not simulated.
CUresult check_edges(const CUgraphEdgeData* edges, std::size_t count);

// Without handles: the part of an executable graph that only the driver sees.
enum class Handles { yes, no };
GraphRef new_graph(Handles handles = Handles::yes);
void destroy_graph(Graph& graph);
void destroy_node(Node& node);
// A copy of everything; memory nodes stand for the same memory.
GraphRef clone_graph(const Graph& graph, Handles handles = Handles::yes);
// The node of the clone that was made from that node.
Node* clone_of(const Graph& clone, CUgraphNode original);

// Adds those that are not there yet.
void add_all(std::vector<Node*>& nodes, const std::vector<Node*>& more);

// Checks what a node is to do, copies what the description points to and makes its work.
CUresult prepare(const Graph& graph, NodeParams& params, Work& work);
// Neither does anything if it fails.
CUresult add_node(Graph& graph, const std::vector<Node*>& dependencies, NodeParams params,
                  Node** result);
CUresult set_params(Node& node, NodeParams params);

// Each after all it depends on; shorter than the graph if there is a cycle.
std::vector<Node*> in_order(const Graph& graph);
// Whether it or a child graph has memory nodes.
bool has_memory_nodes(const Graph& graph);

// cuda.h's older descriptions of nodes, as the newest.
CUgraphNodeParams describe(const CUDA_KERNEL_NODE_PARAMS_v1& kernel);
CUgraphNodeParams describe(const CUDA_KERNEL_NODE_PARAMS_v2& kernel);
CUgraphNodeParams describe(const CUDA_MEMCPY3D& copy, CUcontext context);
CUgraphNodeParams describe(const CUDA_MEMSET_NODE_PARAMS_v1& fill, CUcontext context);
CUgraphNodeParams describe(const CUDA_HOST_NODE_PARAMS_v1& host);
CUgraphNodeParams describe_event(CUgraphNodeType type, CUevent event);
CUgraphNodeParams describe_child(CUgraph child);

// The work of nodes of these types; it may be given again and again.
CUresult kernel_work(NodeParams& params, Work& work);
void count_launch(CUfunction function);
// Whether all the work touches is there: if not it breaks the context, and must not be done.
bool reaches_memory(const Work& work, Context& context);
CUresult copy_work(const CUDA_MEMCPY3D& copy, Work& work);
CUresult fill_work(const CUDA_MEMSET_NODE_PARAMS_v2& fill, Work& work);

}  // namespace gmlake::simcuda
