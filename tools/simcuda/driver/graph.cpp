#include "graph.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "findings.h"
#include "graph_memory.h"
#include "handles.h"

namespace gmlake::simcuda {
namespace {

HandleTable<Graph, 0x96a, Reuse::never>& graphs() {
  static auto* table = new HandleTable<Graph, 0x96a, Reuse::never>;
  return *table;
}
HandleTable<Node, 0x0de, Reuse::never>& all_nodes() {
  static auto* table = new HandleTable<Node, 0x0de, Reuse::never>;
  return *table;
}
template <typename Handle>
std::uint64_t value_of(Handle handle) {
  return reinterpret_cast<std::uint64_t>(handle);
}

Node& append(Graph& graph, Handles handles) {
  auto node = std::make_shared<Node>();
  node->graph = &graph;
  if (handles == Handles::yes) node->handle = reinterpret_cast<CUgraphNode>(all_nodes().add(node));
  graph.nodes.push_back(std::move(node));
  return *graph.nodes.back();
}

// The node no longer has a child graph, nor a handle.
void retire(Node& node) {
  if (node.params.child != nullptr) destroy_graph(*node.params.child);
  if (node.handle != nullptr) all_nodes().remove(value_of(node.handle));
}

// cuda.h, cuGraphAddMemAllocNode and cuGraphChildGraphNodeGetGraph: what a child graph may be, and
// may contain.
CUresult check_place(const Graph& graph, const NodeParams& params) {
  const CUgraphNodeType type = params.what.type;
  const bool memory = type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || type == CU_GRAPH_NODE_TYPE_MEM_FREE;
  return memory && graph.parent != nullptr ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
}

}  // namespace

GraphLock lock_graphs() {
  static auto* mutex = new std::mutex;
  return GraphLock(*mutex);
}

CUresult find_graph(CUgraph handle, Graph*& graph) {
  graph = graphs().find(value_of(handle));
  if (graph != nullptr) return CUDA_SUCCESS;
  return misuse(CUDA_ERROR_INVALID_VALUE, "destroyed graph, or none", value_of(handle));
}

CUresult find_node(CUgraphNode handle, Node*& node) {
  node = all_nodes().find(value_of(handle));
  if (node != nullptr) return CUDA_SUCCESS;
  return misuse(CUDA_ERROR_INVALID_VALUE, "destroyed node, or none", value_of(handle));
}

CUresult find_nodes(const Graph& graph, const CUgraphNode* handles, std::size_t count,
                    std::vector<Node*>& nodes) {
  if (count > 0 && handles == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (std::size_t i = 0; i < count; ++i) {
    Node* node = nullptr;
    if (const CUresult bad = find_node(handles[i], node)) return bad;
    if (node->graph != &graph) return CUDA_ERROR_INVALID_VALUE;
    nodes.push_back(node);
  }
  return CUDA_SUCCESS;
}

CUresult check_edges(const CUgraphEdgeData* edges, std::size_t count) {
  if (edges == nullptr) return CUDA_SUCCESS;
  const CUgraphEdgeData plain{};
  for (std::size_t i = 0; i < count; ++i)
    if (std::memcmp(&edges[i], &plain, sizeof plain) != 0) return CUDA_ERROR_NOT_SUPPORTED;
  return CUDA_SUCCESS;
}

void add_all(std::vector<Node*>& nodes, const std::vector<Node*>& more) {
  for (Node* node : more)
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
}

std::size_t live_graphs() {
  return graphs().live();
}

GraphRef new_graph(Handles handles) {
  auto graph = std::make_shared<Graph>();
  if (handles == Handles::yes) graph->handle = reinterpret_cast<CUgraph>(graphs().add(graph));
  return graph;
}

void destroy_graph(Graph& graph) {
  const GraphRef keep = graph.shared_from_this();
  for (const NodeRef& node : graph.nodes) retire(*node);
  graph.nodes.clear();
  if (graph.handle != nullptr) graphs().remove(value_of(graph.handle));
}

void destroy_node(Node& node) {
  Graph& graph = *node.graph;
  for (const NodeRef& other : graph.nodes) std::erase(other->dependencies, &node);
  retire(node);
  std::erase_if(graph.nodes, [&](const NodeRef& other) { return other.get() == &node; });
}

GraphRef clone_graph(const Graph& graph, Handles handles) {
  GraphRef clone = new_graph(handles);
  clone->original = graph.handle;
  std::map<const Node*, Node*> copies;
  for (const NodeRef& node : graph.nodes) {
    Node& copy = append(*clone, handles);
    copy.original = node->handle;
    copy.params = node->params;
    copy.work = node->work;
    copy.enabled = node->enabled;
    copies[node.get()] = &copy;
    if (node->params.child == nullptr) continue;
    copy.params.child = clone_graph(*node->params.child, handles);
    copy.params.child->parent = &copy;
    copy.params.what.graph.graph = copy.params.child->handle;
  }
  for (const NodeRef& node : graph.nodes)
    for (const Node* before : node->dependencies)
      copies[node.get()]->dependencies.push_back(copies[before]);
  return clone;
}

Node* clone_of(const Graph& clone, CUgraphNode original) {
  for (const NodeRef& node : clone.nodes) {
    if (node->original == original) return node.get();
    if (node->params.child == nullptr) continue;
    if (Node* found = clone_of(*node->params.child, original)) return found;
  }
  return nullptr;
}

CUresult add_node(Graph& graph, const std::vector<Node*>& dependencies, NodeParams params,
                  Node** result) {
  std::vector<Node*> unique;
  add_all(unique, dependencies);
  if (unique.size() != dependencies.size()) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_place(graph, params)) return bad;
  Work work;
  if (const CUresult bad = prepare(graph, params, work)) return bad;
  Node& node = append(graph, Handles::yes);
  node.params = std::move(params);
  node.work = std::move(work);
  node.dependencies = std::move(unique);
  if (node.params.child != nullptr) node.params.child->parent = &node;
  *result = &node;
  return CUDA_SUCCESS;
}

CUresult set_params(Node& node, NodeParams params) {
  if (params.what.type != node.type()) return CUDA_ERROR_INVALID_VALUE;
  // cuda.h, cuGraphNodeSetParams: not for memory nodes. A child graph is changed in place.
  switch (node.type()) {
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
    case CU_GRAPH_NODE_TYPE_GRAPH:
      return CUDA_ERROR_NOT_SUPPORTED;
    default:
      break;
  }
  Work work;
  if (const CUresult bad = prepare(*node.graph, params, work)) return bad;
  node.params = std::move(params);
  node.work = std::move(work);
  return CUDA_SUCCESS;
}

std::vector<Node*> in_order(const Graph& graph) {
  std::map<const Node*, std::size_t> missing;
  std::map<const Node*, std::vector<Node*>> followers;
  std::vector<Node*> order;
  for (const NodeRef& node : graph.nodes) {
    missing[node.get()] = node->dependencies.size();
    for (const Node* before : node->dependencies) followers[before].push_back(node.get());
    if (node->dependencies.empty()) order.push_back(node.get());
  }
  for (std::size_t i = 0; i < order.size(); ++i)
    for (Node* follower : followers[order[i]])
      if (--missing[follower] == 0) order.push_back(follower);
  return order;
}

bool has_memory_nodes(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const NodeRef& node) {
    return node->params.block != nullptr ||
           (node->params.child != nullptr && has_memory_nodes(*node->params.child));
  });
}

}  // namespace gmlake::simcuda
