// What a node's description comes to: it is checked, what it points to is copied, and its work
// made.
#include <algorithm>
#include <cstring>

#include "graph.h"
#include "graph_memory.h"
#include "peer.h"

namespace gmlake::simcuda {
namespace {

constexpr Address kLowest = 4096;  // nothing is ever mapped below
constexpr Bytes kMost = Bytes{1} << 48;

// Memory a node may name: a graph's counts before any launch, too.
bool usable(Address at, Bytes size, bool write) {
  return at >= kLowest && (in_graph_block(at, size) || accessible(at, size, write));
}

// Rows of bytes, and planes of rows.
struct Box {
  Address at = 0;
  Bytes pitch = 0;
  Bytes plane = 0;
};

// Both sides of cuda.h's 3D copy are laid out alike.
CUresult side(CUmemorytype type, const void* host, CUdeviceptr device, size_t x, size_t y, size_t z,
              size_t pitch, size_t height, const CUDA_MEMCPY3D& copy, bool write, Box& box) {
  switch (type) {
    case CU_MEMORYTYPE_HOST:
      box.at = reinterpret_cast<Address>(host);
      break;
    case CU_MEMORYTYPE_DEVICE:
      if (pageable(device)) return CUDA_ERROR_INVALID_VALUE;
      [[fallthrough]];
    case CU_MEMORYTYPE_UNIFIED:
      box.at = device;
      break;
    case CU_MEMORYTYPE_ARRAY:
      return CUDA_ERROR_NOT_SUPPORTED;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
  for (const size_t one : {x, y, z, pitch, height})
    if (one > kMost) return CUDA_ERROR_INVALID_VALUE;
  // cuda.h, cuMemcpy3D: a pitch holds a row; where there is one row it does not matter.
  if (copy.Height > 1 || copy.Depth > 1) {
    if (pitch < copy.WidthInBytes + x) return CUDA_ERROR_INVALID_VALUE;
    if (copy.Depth > 1 && height < copy.Height + y) return CUDA_ERROR_INVALID_VALUE;
    if (pitch != 0 && height > kMost / pitch) return CUDA_ERROR_INVALID_VALUE;
  }
  box.pitch = pitch;
  box.plane = pitch * height;
  box.at += x + y * box.pitch + z * box.plane;
  const Bytes span = (copy.Depth - 1) * box.plane + (copy.Height - 1) * box.pitch;
  return usable(box.at, span + copy.WidthInBytes, write) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void add_rows(std::vector<Access>& accesses, const Box& box, Bytes width, Bytes rows, Bytes planes,
              bool write) {
  for (Bytes plane = 0; plane < planes; ++plane)
    for (Bytes row = 0; row < rows; ++row)
      accesses.push_back({box.at + plane * box.plane + row * box.pitch, width, write});
}

template <typename T>
void fill_rows(Address at, Bytes pitch, unsigned value, size_t width, size_t height) {
  for (size_t row = 0; row < height; ++row)
    std::fill_n(reinterpret_cast<T*>(at + row * pitch), width, static_cast<T>(value));
}

// A context that a description may leave out: then it is the current one.
CUresult settle_context(CUcontext& handle) {
  Context* context = nullptr;
  if (const CUresult bad =
          handle != nullptr ? find_context(handle, context) : current_context(context))
    return bad;
  handle = to_handle(context);
  return CUDA_SUCCESS;
}

CUresult check_reach(CUcontext by, const Work& work, Reach reach) {
  for (const Access& access : work.accesses)
    if (!reachable(*from_handle(by), access.at, access.size, access.write, reach))
      return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

CUresult settle_child(const Graph& graph, NodeParams& params) {
  CUDA_CHILD_GRAPH_NODE_PARAMS& what = params.what.graph;
  if (params.child == nullptr) {
    Graph* child = nullptr;
    if (const CUresult bad = find_graph(what.graph, child)) return bad;
    if (child == &graph || child->capturing) return CUDA_ERROR_INVALID_VALUE;
    if (what.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE) {
      // cuda.h, CUgraphChildGraphNodeOwnership: a graph has one parent, and is not instantiated.
      for (const Node* node = graph.parent; node != nullptr; node = node->graph->parent)
        if (node->graph == child) return CUDA_ERROR_INVALID_VALUE;
      if (child->parent != nullptr || child->executables != 0) return CUDA_ERROR_INVALID_VALUE;
      params.child = child->shared_from_this();
    } else if (what.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_CLONE) {
      if (has_memory_nodes(*child)) return CUDA_ERROR_NOT_SUPPORTED;
      params.child = clone_graph(*child);
    } else {
      return CUDA_ERROR_INVALID_VALUE;
    }
  }
  what.graph = params.child->handle;
  return CUDA_SUCCESS;
}

CUresult settle_event(CUevent handle, NodeParams& params) {
  return find_event(handle, params.event) == CUDA_SUCCESS ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// Access descriptors may only say what is so anyway: every device can reach every other.
CUresult settle_allocation(const Graph& graph, NodeParams& params) {
  CUDA_MEM_ALLOC_NODE_PARAMS_v2& what = params.what.alloc;
  if (what.poolProps.allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
      what.poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
      what.poolProps.handleTypes != CU_MEM_HANDLE_TYPE_NONE || what.bytesize == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(what.poolProps.location.id)) return bad;
  if (what.accessDescCount > kMaxDevices ||
      (what.accessDescCount != 0 && what.accessDescs == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  auto descriptors = std::make_shared<std::vector<CUmemAccessDesc>>(
      what.accessDescs, what.accessDescs + what.accessDescCount);
  params.block = new_graph_block(what.poolProps.location.id, what.bytesize);
  if (params.block == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  params.block->owner = graph.handle;
  what.accessDescs = descriptors->empty() ? nullptr : descriptors->data();
  what.dptr = params.block->at;
  params.owned = std::move(descriptors);
  return CUDA_SUCCESS;
}

// cuda.h, cuGraphAddMemAllocNode and cuGraphAddMemFreeNode: freed once in a graph, and either in
// the owning graph or in others.
CUresult settle_free(const Graph& graph, NodeParams& params) {
  params.block = find_graph_block(params.what.free.dptr);
  if (params.block == nullptr) return CUDA_ERROR_INVALID_VALUE;
  auto& freers = params.block->freers;
  for (const CUgraph freer : freers)
    if (freer == graph.handle || freer == params.block->owner ||
        graph.handle == params.block->owner)
      return CUDA_ERROR_INVALID_VALUE;
  freers.push_back(graph.handle);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult copy_work(const CUDA_MEMCPY3D& copy, Work& work) {
  work = {};
  for (const size_t one : {copy.WidthInBytes, copy.Height, copy.Depth})
    if (one > kMost) return CUDA_ERROR_INVALID_VALUE;
  if (copy.WidthInBytes == 0 || copy.Height == 0 || copy.Depth == 0) return CUDA_SUCCESS;
  Box from;
  Box to;
  if (const CUresult bad =
          side(copy.srcMemoryType, copy.srcHost, copy.srcDevice, copy.srcXInBytes, copy.srcY,
               copy.srcZ, copy.srcPitch, copy.srcHeight, copy, false, from))
    return bad;
  if (const CUresult bad =
          side(copy.dstMemoryType, copy.dstHost, copy.dstDevice, copy.dstXInBytes, copy.dstY,
               copy.dstZ, copy.dstPitch, copy.dstHeight, copy, true, to))
    return bad;
  const Bytes width = copy.WidthInBytes;
  const Bytes rows = copy.Height;
  const Bytes planes = copy.Depth;
  add_rows(work.accesses, from, width, rows, planes, false);
  add_rows(work.accesses, to, width, rows, planes, true);
  if (!memory().backed) return CUDA_SUCCESS;
  work.run = Run::device;
  work.body = [=] {
    for (Bytes plane = 0; plane < planes; ++plane)
      for (Bytes row = 0; row < rows; ++row) {
        const Bytes out = plane * to.plane + row * to.pitch;
        const Bytes in = plane * from.plane + row * from.pitch;
        std::memmove(reinterpret_cast<void*>(to.at + out),
                     reinterpret_cast<const void*>(from.at + in), width);
      }
  };
  return CUDA_SUCCESS;
}

CUresult fill_work(const CUDA_MEMSET_NODE_PARAMS_v2& fill, Work& work) {
  work = {};
  const auto [at, pitch, value, element, width, height, context] = fill;
  // cuda.h, cuGraphAddMemsetNode: "The element size must be 1, 2, or 4 bytes."
  if ((element != 1 && element != 2 && element != 4) || at % element != 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (width > kMost / element || height > kMost || (height > 1 && pitch > kMost / height))
    return CUDA_ERROR_INVALID_VALUE;
  if (width == 0 || height == 0) return CUDA_SUCCESS;
  const Bytes row = width * element;
  if (height > 1 && (pitch < row || pitch % element != 0)) return CUDA_ERROR_INVALID_VALUE;
  if (pageable(at) || !usable(at, (height - 1) * pitch + row, true))
    return CUDA_ERROR_INVALID_VALUE;
  add_rows(work.accesses, {at, pitch, 0}, row, height, 1, true);
  if (!memory().backed) return CUDA_SUCCESS;
  work.run = Run::device;
  work.body = [at = at, pitch = pitch, value = value, element = element, width = width,
               height = height] {
    if (element == 1) fill_rows<unsigned char>(at, pitch, value, width, height);
    if (element == 2) fill_rows<unsigned short>(at, pitch, value, width, height);
    if (element == 4) fill_rows<unsigned>(at, pitch, value, width, height);
  };
  return CUDA_SUCCESS;
}

CUresult prepare(const Graph& graph, NodeParams& params, Work& work) {
  work = {};
  CUgraphNodeParams& what = params.what;
  switch (what.type) {
    case CU_GRAPH_NODE_TYPE_KERNEL:
      return kernel_work(params, work);
    case CU_GRAPH_NODE_TYPE_MEMCPY:
      if (const CUresult bad = settle_context(what.memcpy.copyCtx)) return bad;
      if (const CUresult bad = copy_work(what.memcpy.copyParams, work)) return bad;
      return check_reach(what.memcpy.copyCtx, work, Reach::copy);
    case CU_GRAPH_NODE_TYPE_MEMSET:
      if (const CUresult bad = settle_context(what.memset.ctx)) return bad;
      if (const CUresult bad = fill_work(what.memset, work)) return bad;
      return check_reach(what.memset.ctx, work, Reach::direct);
    case CU_GRAPH_NODE_TYPE_HOST:
      if (what.host.fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
      work.run = Run::host_code;
      work.body = [function = what.host.fn, data = what.host.userData] { function(data); };
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_GRAPH:
      return settle_child(graph, params);
    case CU_GRAPH_NODE_TYPE_EMPTY:
      return CUDA_SUCCESS;
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
      return settle_event(what.eventWait.event, params);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
      return settle_event(what.eventRecord.event, params);
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
      return settle_allocation(graph, params);
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
      return settle_free(graph, params);
    case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
    case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT:
    case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
    case CU_GRAPH_NODE_TYPE_CONDITIONAL:
      return CUDA_ERROR_NOT_SUPPORTED;
  }
  return CUDA_ERROR_INVALID_VALUE;
}

}  // namespace gmlake::simcuda
