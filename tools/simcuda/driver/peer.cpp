// Access between devices. Native memory of another device needs cuCtxEnablePeerAccess, virtual
// memory cuMemSetAccess for the device, pools cuMemPoolSetAccess.
#include "peer.h"

#include <algorithm>

#include "entry.h"
#include "leniency.h"
#include "pool.h"

namespace gmlake::simcuda {
namespace {

bool enabled(const Context& mine, const Context* peer) {
  return std::find(mine.peers.begin(), mine.peers.end(), peer) != mine.peers.end();
}

CUresult find_peer(CUcontext handle, Context*& mine, Context*& peer) {
  if (const CUresult bad = current_context(mine)) return bad;
  return find_context(handle, peer);
}

CUresult check_link(CUdevice from, CUdevice to) {
  return check_device(from) == CUDA_SUCCESS && check_device(to) == CUDA_SUCCESS && from != to
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_DEVICE;
}

}  // namespace

bool reachable(const Context& by, Address at, Bytes size, bool write, Reach reach) {
  Memory& m = memory();
  if (!m.owns(at)) return true;
  const auto wanted = write ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_READ;
  const std::lock_guard lock(m.mutex);
  if (const auto found = containing(m.allocations, at); found != m.allocations.end()) {
    const Allocation& block = found->second;
    if (block.pool != nullptr) return block.pool->access[by.device] >= wanted;
    if (reach == Reach::copy || block.device == by.device || block.context == &by) return true;
    const SchedulerLock peers = lock_scheduler();
    return enabled(by, block.context);
  }
  const auto from = containing(m.mappings, at);
  const auto to = m.mappings.lower_bound(at + size);
  return from == m.mappings.end() || std::all_of(from, to, [&](const auto& mapping) {
           return mapping.second.access[by.device] >= wanted;
         });
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  SIM_ENTER();
  if (can == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_device(device)) return bad;
  if (const CUresult bad = check_device(peer)) return bad;
  *can = device != peer && devices_are_peers();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAttribute(int* value, CUdevice_P2PAttribute wanted, CUdevice from,
                                 CUdevice to) {
  SIM_ENTER();
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  // "if srcDevice or dstDevice are not valid or if they represent the same device".
  if (const CUresult bad = check_link(from, to)) return bad;
  switch (wanted) {
    case CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK:
    case CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED:
    case CU_DEVICE_P2P_ATTRIBUTE_ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED:
      *value = 0;
      return CUDA_SUCCESS;
    case CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED:
    case CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED:
      *value = devices_are_peers();
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult cuCtxEnablePeerAccess(CUcontext handle, unsigned flags) {
  SIM_ENTER();
  Context* mine = nullptr;
  Context* peer = nullptr;
  if (const CUresult bad = find_peer(handle, mine, peer)) return bad;
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  // For the current context itself, too (measured on driver 580; cuda.h:
  // CUDA_ERROR_INVALID_CONTEXT).
  if (mine->device == peer->device || !devices_are_peers())
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
  const SchedulerLock lock = lock_scheduler();
  if (enabled(*mine, peer)) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  mine->peers.push_back(peer);
  return CUDA_SUCCESS;
}

CUresult cuCtxDisablePeerAccess(CUcontext handle) {
  SIM_ENTER();
  Context* mine = nullptr;
  Context* peer = nullptr;
  if (const CUresult bad = find_peer(handle, mine, peer)) return bad;
  const SchedulerLock lock = lock_scheduler();
  return std::erase(mine->peers, peer) != 0 ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}
