// cuGraph*: graphs as a program builds and looks at them. The calls for the types of nodes are in
// graph_nodes.cpp, those for executable graphs in graph_exec_calls.cpp.
#include <algorithm>
#include <cstdio>

#include "entry.h"
#include "graph.h"
#include "graph_memory.h"

namespace gmlake::simcuda {
namespace {

// cuda.h, cuGraphGetNodes: without an array the number; else as many as fit, the rest null.
CUresult list(const std::vector<CUgraphNode>& found, CUgraphNode* nodes, size_t* count) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (nodes == nullptr) {
    *count = found.size();
    return CUDA_SUCCESS;
  }
  for (size_t i = 0; i < *count; ++i) nodes[i] = i < found.size() ? found[i] : nullptr;
  *count = std::min(*count, found.size());
  return CUDA_SUCCESS;
}

// Edges here never say more than "after".
CUresult clear_edges(CUgraphEdgeData* edges, const void* beside, const size_t* count) {
  if (edges == nullptr) return CUDA_SUCCESS;
  if (beside == nullptr || count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::fill_n(edges, *count, CUgraphEdgeData{});
  return CUDA_SUCCESS;
}

CUresult get_nodes(CUgraph handle, CUgraphNode* nodes, size_t* count, bool roots_only) {
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  std::vector<CUgraphNode> found;
  for (const NodeRef& node : graph->nodes)
    if (!roots_only || node->dependencies.empty()) found.push_back(node->handle);
  return list(found, nodes, count);
}

CUresult get_edges(CUgraph handle, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* edges,
                   size_t* count) {
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  if (count == nullptr || (from == nullptr) != (to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = clear_edges(edges, from, count)) return bad;
  std::vector<CUgraphNode> starts;
  std::vector<CUgraphNode> ends;
  for (const NodeRef& node : graph->nodes)
    for (const Node* before : node->dependencies) {
      starts.push_back(before->handle);
      ends.push_back(node->handle);
    }
  size_t both = *count;
  if (const CUresult bad = list(starts, from, &both)) return bad;
  return list(ends, to, count);
}

CUresult get_dependencies(CUgraphNode handle, CUgraphNode* nodes, CUgraphEdgeData* edges,
                          size_t* count) {
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_node(handle, node)) return bad;
  if (const CUresult bad = clear_edges(edges, nodes, count)) return bad;
  std::vector<CUgraphNode> found;
  for (const Node* before : node->dependencies) found.push_back(before->handle);
  return list(found, nodes, count);
}

CUresult get_dependents(CUgraphNode handle, CUgraphNode* nodes, CUgraphEdgeData* edges,
                        size_t* count) {
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_node(handle, node)) return bad;
  if (const CUresult bad = clear_edges(edges, nodes, count)) return bad;
  std::vector<CUgraphNode> found;
  for (const NodeRef& other : node->graph->nodes)
    if (std::count(other->dependencies.begin(), other->dependencies.end(), node) != 0)
      found.push_back(other->handle);
  return list(found, nodes, count);
}

struct Edges {
  Graph* graph = nullptr;
  std::vector<Node*> from;
  std::vector<Node*> to;
};

CUresult find_edges(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                    const CUgraphEdgeData* edges, size_t count, Edges& found) {
  if (const CUresult bad = find_graph(handle, found.graph)) return bad;
  if (const CUresult bad = find_nodes(*found.graph, from, count, found.from)) return bad;
  if (const CUresult bad = find_nodes(*found.graph, to, count, found.to)) return bad;
  return check_edges(edges, count);
}

CUresult add_dependencies(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                          const CUgraphEdgeData* edges, size_t count) {
  const GraphLock lock = lock_graphs();
  Edges e;
  if (const CUresult bad = find_edges(handle, from, to, edges, count, e)) return bad;
  // "Specifying an existing dependency will return an error"; a cycle is one of instantiation,
  // unless it is a node's own (measured on driver 580). All or none.
  auto before = std::vector<std::vector<Node*>>();
  for (const Node* node : e.to) before.push_back(node->dependencies);
  for (size_t i = 0; i < count; ++i) {
    auto& all = e.to[i]->dependencies;
    if (e.from[i] != e.to[i] && std::find(all.begin(), all.end(), e.from[i]) == all.end()) {
      all.push_back(e.from[i]);
      continue;
    }
    for (size_t k = count; k-- > 0;) e.to[k]->dependencies = before[k];
    return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult remove_dependencies(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                             const CUgraphEdgeData* edges, size_t count) {
  const GraphLock lock = lock_graphs();
  Edges e;
  if (const CUresult bad = find_edges(handle, from, to, edges, count, e)) return bad;
  // "Dependencies cannot be removed from graphs which contain allocation or free nodes."
  if (count > 0 && has_memory_nodes(*e.graph)) return CUDA_ERROR_NOT_SUPPORTED;
  for (size_t i = 0; i < count; ++i) {
    const auto& all = e.to[i]->dependencies;
    if (std::find(all.begin(), all.end(), e.from[i]) == all.end()) return CUDA_ERROR_INVALID_VALUE;
  }
  for (size_t i = 0; i < count; ++i) std::erase(e.to[i]->dependencies, e.from[i]);
  return CUDA_SUCCESS;
}

const char* type_name(CUgraphNodeType type) {
  constexpr const char* kNames[] = {"KERNEL", "MEMCPY", "MEMSET",     "HOST",
                                    "GRAPH",  "EMPTY",  "WAIT_EVENT", "EVENT_RECORD",
                                    "",       "",       "MEM_ALLOC",  "MEM_FREE"};
  return kNames[type];
}

CUresult print(CUgraph handle, const char* path) {
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  if (path == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::FILE* file = std::fopen(path, "we");
  if (file == nullptr) return CUDA_ERROR_OPERATING_SYSTEM;
  std::fprintf(file, "digraph simcuda {\n");
  for (const NodeRef& node : graph->nodes) {
    std::fprintf(file, "  \"%p\" [label=\"%s\"];\n", static_cast<void*>(node->handle),
                 type_name(node->type()));
    for (const Node* before : node->dependencies)
      std::fprintf(file, "  \"%p\" -> \"%p\";\n", static_cast<void*>(before->handle),
                   static_cast<void*>(node->handle));
  }
  std::fprintf(file, "}\n");
  return std::fclose(file) == 0 ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuGraphCreate(CUgraph* result, unsigned flags) {
  SIM_ENTER();
  if (result == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  *result = new_graph()->handle;
  return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph handle) {
  SIM_ENTER();
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  // cuda.h, cuStreamGetCaptureInfo: no destroy while it is being captured into. A child graph is
  // its node's (cuGraphChildGraphNodeGetGraph).
  if (graph->capturing || graph->parent != nullptr) return CUDA_ERROR_INVALID_VALUE;
  destroy_graph(*graph);
  return CUDA_SUCCESS;
}
CUresult cuGraphClone(CUgraph* result, CUgraph handle) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Graph* graph = nullptr;
  if (const CUresult bad = find_graph(handle, graph)) return bad;
  if (has_memory_nodes(*graph)) return CUDA_ERROR_NOT_SUPPORTED;  // measured on driver 580
  *result = clone_graph(*graph)->handle;
  return CUDA_SUCCESS;
}
CUresult cuGraphNodeFindInClone(CUgraphNode* result, CUgraphNode original, CUgraph handle) {
  SIM_ENTER();
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Graph* clone = nullptr;
  if (const CUresult bad = find_graph(handle, clone)) return bad;
  const Node* node = original != nullptr ? clone_of(*clone, original) : nullptr;
  if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = node->handle;
  return CUDA_SUCCESS;
}
CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType* type) {
  SIM_ENTER();
  if (type == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_node(handle, node)) return bad;
  *type = node->type();
  return CUDA_SUCCESS;
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  SIM_ENTER();
  return get_nodes(graph, nodes, count, false);
}
CUresult cuGraphGetRootNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  SIM_ENTER();
  return get_nodes(graph, nodes, count, true);
}
CUresult cuGraphGetEdges(CUgraph graph, CUgraphNode* from, CUgraphNode* to, size_t* count) {
  SIM_ENTER();
  return get_edges(graph, from, to, nullptr, count);
}
CUresult cuGraphGetEdges_v2(CUgraph graph, CUgraphNode* from, CUgraphNode* to,
                            CUgraphEdgeData* edges, size_t* count) {
  SIM_ENTER();
  return get_edges(graph, from, to, edges, count);
}
CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode* nodes, size_t* count) {
  SIM_ENTER();
  return get_dependencies(node, nodes, nullptr, count);
}
CUresult cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode* nodes, CUgraphEdgeData* edges,
                                       size_t* count) {
  SIM_ENTER();
  return get_dependencies(node, nodes, edges, count);
}
CUresult cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode* nodes, size_t* count) {
  SIM_ENTER();
  return get_dependents(node, nodes, nullptr, count);
}
CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode* nodes,
                                         CUgraphEdgeData* edges, size_t* count) {
  SIM_ENTER();
  return get_dependents(node, nodes, edges, count);
}
CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                size_t count) {
  SIM_ENTER();
  return add_dependencies(graph, from, to, nullptr, count);
}
CUresult cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                   const CUgraphEdgeData* edges, size_t count) {
  SIM_ENTER();
  return add_dependencies(graph, from, to, edges, count);
}
CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                   size_t count) {
  SIM_ENTER();
  return remove_dependencies(graph, from, to, nullptr, count);
}
CUresult cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                      const CUgraphEdgeData* edges, size_t count) {
  SIM_ENTER();
  return remove_dependencies(graph, from, to, edges, count);
}
CUresult cuGraphDestroyNode(CUgraphNode handle) {
  SIM_ENTER();
  const GraphLock lock = lock_graphs();
  Node* node = nullptr;
  if (const CUresult bad = find_node(handle, node)) return bad;
  // cuda.h, cuStreamGetCaptureInfo: no node removal while it is being captured into.
  if (node->graph->capturing) return CUDA_ERROR_INVALID_VALUE;
  if (has_memory_nodes(*node->graph)) return CUDA_ERROR_NOT_SUPPORTED;  // measured on driver 580
  destroy_node(*node);
  return CUDA_SUCCESS;
}
CUresult cuGraphDebugDotPrint(CUgraph graph, const char* path, unsigned) {
  SIM_ENTER();
  return print(graph, path);
}

CUresult cuDeviceGraphMemTrim(CUdevice device) {
  SIM_ENTER();
  return check_device(device);  // nothing is cached
}
CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute wanted, void* value) {
  SIM_ENTER();
  if (const CUresult bad = check_device(device)) return bad;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(memory().mutex);
  const GraphMemory& counters = graph_memory(device);
  auto& result = *static_cast<cuuint64_t*>(value);
  switch (wanted) {
    case CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT:
    case CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT:
      result = counters.used;
      return CUDA_SUCCESS;
    case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH:
      result = counters.used_high;
      return CUDA_SUCCESS;
    case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH:
      result = counters.reserved_high;
      return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}
CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute wanted, void* value) {
  SIM_ENTER();
  if (const CUresult bad = check_device(device)) return bad;
  // cuda.h: "High watermark can only be reset to zero."
  if (value == nullptr || *static_cast<cuuint64_t*>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(memory().mutex);
  GraphMemory& counters = graph_memory(device);
  if (wanted == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH)
    counters.used_high = counters.used;
  else if (wanted == CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH)
    counters.reserved_high = counters.used;
  else
    return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}
