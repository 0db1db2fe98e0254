// cudaStream*, cudaEvent* and host functions.
#include "runtime.h"

using namespace gmlake::simcudart;

static_assert(static_cast<int>(cudaStreamNonBlocking) == static_cast<int>(CU_STREAM_NON_BLOCKING));
static_assert(static_cast<int>(cudaEventDisableTiming) ==
              static_cast<int>(CU_EVENT_DISABLE_TIMING));

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  RT(driver->cuStreamCreate(stream, CU_STREAM_DEFAULT));
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  RT(driver->cuStreamCreate(stream, flags));
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  RT(driver->cuStreamCreateWithPriority(stream, flags, priority));
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  RT(driver->cuStreamDestroy_v2(stream));
}
RT_PTSZ(cudaStreamSynchronize, (cudaStream_t stream), cuStreamSynchronize, (stream))
RT_PTSZ(cudaStreamQuery, (cudaStream_t stream), cuStreamQuery, (stream))
RT_PTSZ(cudaStreamWaitEvent, (cudaStream_t stream, cudaEvent_t event, unsigned flags),
        cuStreamWaitEvent, (stream, event, flags))
RT_PTSZ(cudaStreamGetId, (cudaStream_t stream, unsigned long long* id), cuStreamGetId, (stream, id))
RT_PTSZ(cudaStreamGetFlags, (cudaStream_t stream, unsigned* flags), cuStreamGetFlags,
        (stream, flags))
RT_PTSZ(cudaStreamGetPriority, (cudaStream_t stream, int* priority), cuStreamGetPriority,
        (stream, priority))
RT_PTSZ(cudaStreamGetDevice, (cudaStream_t stream, int* device), cuStreamGetDevice,
        (stream, device))
RT_PTSZ(cudaStreamCopyAttributes, (cudaStream_t to, cudaStream_t from_), cuStreamCopyAttributes,
        (to, from_))
RT_PTSZ(cudaStreamGetAttribute,
        (cudaStream_t stream, cudaStreamAttrID attribute, cudaStreamAttrValue* value),
        cuStreamGetAttribute, (stream, like(attribute), like(value)))
RT_PTSZ(cudaStreamSetAttribute,
        (cudaStream_t stream, cudaStreamAttrID attribute, const cudaStreamAttrValue* value),
        cuStreamSetAttribute, (stream, like(attribute), like(value)))
RT_PTSZ(cudaLaunchHostFunc, (cudaStream_t stream, cudaHostFn_t function, void* data),
        cuLaunchHostFunc, (stream, function, data))
RT_PTSZ(cudaStreamAddCallback,
        (cudaStream_t stream, cudaStreamCallback_t callback, void* data, unsigned flags),
        cuStreamAddCallback, (stream, like(callback), data, flags))

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  RT(driver->cuEventCreate(event, CU_EVENT_DEFAULT));
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  RT(driver->cuEventCreate(event, flags));
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  RT(driver->cuEventDestroy_v2(event));
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  RT(driver->cuEventQuery(event));
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  RT(driver->cuEventSynchronize(event));
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t second) {
  RT(driver->cuEventElapsedTime_v2(milliseconds, first, second));
}
RT_PTSZ(cudaEventRecord, (cudaEvent_t event, cudaStream_t stream), cuEventRecord, (event, stream))
RT_PTSZ(cudaEventRecordWithFlags, (cudaEvent_t event, cudaStream_t stream, unsigned flags),
        cuEventRecordWithFlags, (event, stream, flags))
