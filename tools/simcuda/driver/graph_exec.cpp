#include "graph_exec.h"

#include <algorithm>
#include <functional>
#include <set>

#include "findings.h"
#include "graph_memory.h"
#include "handles.h"
#include "watch.h"

namespace gmlake::simcuda {
namespace {

HandleTable<Executable, 0xe8e, Reuse::never>& executables() {
  static auto* table = new HandleTable<Executable, 0xe8e, Reuse::never>;
  return *table;
}
std::uint64_t value_of(CUgraphExec handle) {
  return reinterpret_cast<std::uint64_t>(handle);
}

void for_each(const Graph& graph, const std::function<void(Node&)>& visit) {
  for (Node* node : in_order(graph)) {
    visit(*node);
    if (node->params.child != nullptr) for_each(*node->params.child, visit);
  }
}

bool comes_after(const Node& late, const Node& early) {
  std::set<const Node*> seen;
  std::vector<const Node*> next{&late};
  while (!next.empty()) {
    const Node* node = next.back();
    next.pop_back();
    if (node == &early) return true;
    if (seen.insert(node).second)
      next.insert(next.end(), node->dependencies.begin(), node->dependencies.end());
  }
  return false;
}

// A node that is part of a cycle, or frees memory of this graph that may not be there yet.
Node* out_of_order(const Graph& graph) {
  const std::vector<Node*> order = in_order(graph);
  for (const NodeRef& node : graph.nodes) {
    if (std::find(order.begin(), order.end(), node.get()) == order.end()) return node.get();
    if (node->params.child != nullptr)
      if (Node* bad = out_of_order(*node->params.child)) return bad;
    if (node->type() != CU_GRAPH_NODE_TYPE_MEM_FREE) continue;
    for (const NodeRef& other : graph.nodes)
      if (other->type() == CU_GRAPH_NODE_TYPE_MEM_ALLOC &&
          other->params.block == node->params.block && !comes_after(*node, *other))
        return node.get();
  }
  return nullptr;
}

// cuda.h, cuGraphInstantiate: what a graph that the device launches may contain.
Node* not_for_device(const Graph& graph) {
  Node* found = nullptr;
  for_each(graph, [&](Node& node) {
    const CUgraphNodeType type = node.type();
    if (type != CU_GRAPH_NODE_TYPE_KERNEL && type != CU_GRAPH_NODE_TYPE_MEMCPY &&
        type != CU_GRAPH_NODE_TYPE_MEMSET && type != CU_GRAPH_NODE_TYPE_GRAPH)
      found = &node;
  });
  return found;
}

Context* context_of(const Node& node, Context* otherwise) {
  CUcontext handle = nullptr;
  if (node.type() == CU_GRAPH_NODE_TYPE_KERNEL) handle = node.params.what.kernel.ctx;
  if (node.type() == CU_GRAPH_NODE_TYPE_MEMCPY) handle = node.params.what.memcpy.copyCtx;
  if (node.type() == CU_GRAPH_NODE_TYPE_MEMSET) handle = node.params.what.memset.ctx;
  Context* context = nullptr;
  if (handle == nullptr || find_context(handle, context) == CUDA_ERROR_INVALID_CONTEXT)
    return otherwise;
  return context;
}

// The memory a launch brings and takes.
struct LaunchMemory {
  std::vector<GraphBlockRef> allocated;
  std::vector<GraphBlockRef> freed;
};

CUresult check_memory(const Executable& executable, LaunchMemory& memory) {
  for_each(*executable.graph, [&](Node& node) {
    if (node.type() == CU_GRAPH_NODE_TYPE_MEM_ALLOC) memory.allocated.push_back(node.params.block);
    if (node.type() == CU_GRAPH_NODE_TYPE_MEM_FREE) memory.freed.push_back(node.params.block);
  });
  const auto& allocated = memory.allocated;
  if ((executable.flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH) == 0)
    for (const GraphBlockRef& block : allocated)
      if (graph_memory_is_live(*block)) return CUDA_ERROR_INVALID_VALUE;
  for (const GraphBlockRef& block : memory.freed)
    if (!graph_memory_is_live(*block) &&
        std::find(allocated.begin(), allocated.end(), block) == allocated.end())
      return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

// All of it is there from here on, or nothing has changed.
CUresult begin_memory(const LaunchMemory& memory, const StreamRef& stream) {
  // cuda.h, cuGraphAddMemAllocNode: "each launch [behaves] as though it called cuMemFreeAsync for
  // every unfreed allocation".
  for (const GraphBlockRef& block : memory.allocated)
    if (begin_graph_free(*block) == CUDA_SUCCESS) {
      watch::memory_ends(block->at, "frees", stream);
      submit(stream, {Run::brief, [block] { end_graph_use(*block); }});
    }
  for (std::size_t i = 0; i < memory.allocated.size(); ++i) {
    const CUresult bad = begin_graph_use(memory.allocated[i]);
    if (bad == CUDA_SUCCESS) continue;
    while (i-- > 0) {
      begin_graph_free(*memory.allocated[i]);
      end_graph_use(*memory.allocated[i]);
    }
    return bad;
  }
  return CUDA_SUCCESS;
}

class Launcher {
 public:
  Launcher(Executable& executable, Context* context) : executable_(executable), context_(context) {}

  // Returns the ends of all that nothing in the graph waits for.
  std::vector<Point> run(const Graph& graph, const std::vector<Point>& start) {
    std::unordered_map<const Node*, std::vector<Point>> ends;
    std::set<const Node*> followed;
    for (Node* node : in_order(graph)) {
      std::vector<Point> after = node->dependencies.empty() ? start : std::vector<Point>{};
      for (const Node* before : node->dependencies) {
        followed.insert(before);
        after.insert(after.end(), ends[before].begin(), ends[before].end());
      }
      if (node->params.child != nullptr)
        ends[node] = run(*node->params.child, after);
      else
        ends[node] = {give(*node, std::move(after))};
    }
    if (ends.empty()) return start;
    std::vector<Point> sinks;
    for (const auto& [node, points] : ends)
      if (!followed.contains(node)) sinks.insert(sinks.end(), points.begin(), points.end());
    return sinks;
  }

 private:
  Point give(const Node& node, std::vector<Point> after) {
    Context* context = context_of(node, context_);
    StreamRef& branch = executable_.branches[&node];
    if (branch == nullptr || branch->context != context) branch = branch_stream(*context);
    Work work = node.enabled ? node.work : Work{};
    switch (node.type()) {
      case CU_GRAPH_NODE_TYPE_KERNEL:
        if (node.enabled) count_launch(node.params.what.kernel.func);
        break;
      case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
        after.push_back(captured_by(node.params.event));
        break;
      case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
      case CU_GRAPH_NODE_TYPE_MEM_FREE:
        // Whoever uses the memory has to come after the one and before the other. It goes when all
        // of the launch is done.
        work.accesses.push_back({node.params.block->at, node.params.block->size, true});
        break;
      default:
        break;
    }
    work.after = std::move(after);
    const Point point = submit(branch, std::move(work));
    if (node.type() == CU_GRAPH_NODE_TYPE_EVENT_RECORD) {
      record_at(node.params.event, point);
      node.params.event->in_capture.reset();
    }
    return point;
  }

  Executable& executable_;
  Context* context_;
};

// Whether the graphs have the same shape, node by node in the order in which they were made.
bool alike(const Graph& mine, const Graph& other, CUgraphExecUpdateResultInfo& outcome) {
  outcome.result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  if (mine.nodes.size() != other.nodes.size()) return false;
  std::unordered_map<const Node*, const Node*> pair;
  for (std::size_t i = 0; i < mine.nodes.size(); ++i)
    pair[other.nodes[i].get()] = mine.nodes[i].get();
  for (std::size_t i = 0; i < mine.nodes.size(); ++i) {
    const Node& own = *mine.nodes[i];
    const Node& with = *other.nodes[i];
    outcome.errorNode = with.handle;
    if (own.type() != with.type()) {
      outcome.result = CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
      return false;
    }
    if (own.dependencies.size() != with.dependencies.size()) return false;
    for (const Node* before : with.dependencies)
      if (std::find(own.dependencies.begin(), own.dependencies.end(), pair[before]) ==
          own.dependencies.end()) {
        outcome.errorFromNode = before->handle;
        return false;
      }
    if (own.params.block != with.params.block) {
      outcome.result = CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED;
      return false;
    }
    if (own.params.child != nullptr && !alike(*own.params.child, *with.params.child, outcome))
      return false;
  }
  outcome = {CU_GRAPH_EXEC_UPDATE_SUCCESS, nullptr, nullptr};
  return true;
}

void take_over(Graph& mine, const Graph& other) {
  for (std::size_t i = 0; i < mine.nodes.size(); ++i) {
    Node& own = *mine.nodes[i];
    const Node& with = *other.nodes[i];
    if (own.params.child != nullptr) {
      take_over(*own.params.child, *with.params.child);
      continue;
    }
    own.params = with.params;
    own.work = with.work;
  }
}

}  // namespace

CUresult find_executable(CUgraphExec handle, Executable*& executable) {
  executable = executables().find(value_of(handle));
  if (executable != nullptr) return CUDA_SUCCESS;
  return misuse(CUDA_ERROR_INVALID_VALUE, "destroyed executable graph, or none", value_of(handle));
}

std::size_t live_executables() {
  return executables().live();
}

CUresult instantiate(CUgraphExec* result, Graph& graph, cuuint64_t flags, Node*& error) {
  error = nullptr;
  // cuda.h: not while it is being captured into, and not a child that was moved into its parent.
  if (graph.capturing) return CUDA_ERROR_INVALID_VALUE;
  if (graph.parent != nullptr &&
      graph.parent->params.what.graph.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE)
    return CUDA_ERROR_INVALID_VALUE;
  if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) != 0) {
    if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH) != 0 || graph.nodes.empty())
      return CUDA_ERROR_INVALID_VALUE;
    error = not_for_device(graph);
    if (error != nullptr) return CUDA_ERROR_INVALID_VALUE;
  }
  error = out_of_order(graph);
  if (error != nullptr) return CUDA_ERROR_INVALID_VALUE;
  // "there can be at most one executable graph in existence"; the code is driver 580's.
  if (graph.executables > 0 && has_memory_nodes(graph)) return CUDA_ERROR_NOT_SUPPORTED;
  auto executable = std::make_shared<Executable>();
  executable->graph = clone_graph(graph, Handles::no);
  executable->source = graph.weak_from_this();
  executable->flags = flags & ~cuuint64_t{CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD};
  ++graph.executables;
  *result = reinterpret_cast<CUgraphExec>(executables().add(std::move(executable)));
  return CUDA_SUCCESS;
}

CUresult destroy_executable(CUgraphExec handle) {
  Executable* executable = nullptr;
  if (const CUresult bad = find_executable(handle, executable)) return bad;
  if (const GraphRef source = executable->source.lock()) --source->executables;
  for (const auto& [node, branch] : executable->branches) end_branch_stream(*branch);
  executables().remove(value_of(handle));
  return CUDA_SUCCESS;
}

CUresult find_node(const Executable& executable, CUgraphNode original, Node*& node) {
  // cuda.h: it "must not have been removed from the original graph".
  if (const CUresult bad = find_node(original, node)) return bad;
  node = clone_of(*executable.graph, original);
  return node != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult launch(Executable& executable, const StreamRef& stream) {
  Context* context = stream->context;
  bool alive = true;
  for_each(*executable.graph,
           [&](Node& node) { alive = alive && context_of(node, context)->alive; });
  if (!alive) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  LaunchMemory memory;
  if (const CUresult bad = check_memory(executable, memory)) return bad;
  // cuda.h, cuGraphLaunch: "ordered behind both any previous work in hStream and any previous
  // launches of hGraphExec".
  const Point start = submit(stream, {Run::marker, {}, {}, {executable.last}});
  if (const CUresult bad = begin_memory(memory, stream)) return bad;
  bool sound = true;
  for_each(*executable.graph, [&](Node& node) {
    if (node.enabled) sound = reaches_memory(node.work, *context_of(node, context)) && sound;
  });
  std::vector<Point> ends{start};
  if (sound) ends = Launcher(executable, context).run(*executable.graph, ends);
  // In the order of calls it is freed now.
  for (const GraphBlockRef& block : memory.freed) begin_graph_free(*block);
  executable.last = submit(stream, {Run::brief,
                                    [freed = std::move(memory.freed)] {
                                      for (const GraphBlockRef& block : freed)
                                        end_graph_use(*block);
                                    },
                                    {},
                                    std::move(ends)});
  return CUDA_SUCCESS;
}

void update(Graph& executable, const Graph& from, CUgraphExecUpdateResultInfo& outcome) {
  outcome = {};
  if (alike(executable, from, outcome)) take_over(executable, from);
}

}  // namespace gmlake::simcuda
