// Memory and events of another process (cudaIpc*) and of another device (peer access).
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(cudaIpcMemLazyEnablePeerAccess == CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);

cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t* handle, void* pointer) {
  RT(driver->cuIpcGetMemHandle(like(handle), like(pointer)));
}
cudaError_t cudaIpcOpenMemHandle(void** pointer, cudaIpcMemHandle_t handle, unsigned flags) {
  RT(driver->cuIpcOpenMemHandle_v2(like(pointer), like(handle), flags));
}
cudaError_t cudaIpcCloseMemHandle(void* pointer) {
  RT(driver->cuIpcCloseMemHandle(like(pointer)));
}
cudaError_t cudaIpcGetEventHandle(cudaIpcEventHandle_t* handle, cudaEvent_t event) {
  RT(driver->cuIpcGetEventHandle(like(handle), event));
}
cudaError_t cudaIpcOpenEventHandle(cudaEvent_t* event, cudaIpcEventHandle_t handle) {
  RT(driver->cuIpcOpenEventHandle(event, like(handle)));
}

namespace {

template <typename Call>
CUresult with_peer(const Driver& driver, int peer, Call call) {
  CUcontext context = nullptr;
  if (const cudaError_t failed = primary_context(driver, peer, context)) return to_driver(failed);
  return call(context);
}

}  // namespace

cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  RT_ANY(driver->cuDeviceCanAccessPeer(can, device, peer));
}
cudaError_t cudaDeviceGetP2PAttribute(int* value, cudaDeviceP2PAttr attribute, int from_device,
                                      int to_device) {
  RT_ANY(driver->cuDeviceGetP2PAttribute(value, like(attribute), from_device, to_device));
}
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
  if (flags != 0) return remember(cudaErrorInvalidValue);
  RT(with_peer(*driver, peer,
               [driver](CUcontext context) { return driver->cuCtxEnablePeerAccess(context, 0); }));
}
cudaError_t cudaDeviceDisablePeerAccess(int peer) {
  RT(with_peer(*driver, peer,
               [driver](CUcontext context) { return driver->cuCtxDisablePeerAccess(context); }));
}
