// What a program may set and read back, and nothing here depends on: limits of contexts and
// attributes of streams.
#include <array>
#include <map>
#include <mutex>
#include <utility>

#include "context.h"
#include "entry.h"

namespace gmlake::simcuda {
namespace {

// As on an H100 with driver 580 (measured). What it does not support has none.
constexpr std::size_t kNone = ~std::size_t{0};
constexpr std::array<std::size_t, CU_LIMIT_MAX> kLimits{
    1024, 8650752, 8388608, kNone, 2048, 64, 9830400, 232448, std::size_t{0}, kNone};
constexpr std::size_t kLocalMemoryOfThread = 512 << 10;

struct Settings {
  std::mutex mutex;
  std::map<std::pair<unsigned long long, CUlimit>, std::size_t> limits;              // by context
  std::map<unsigned long long, CUfunc_cache> caches;                                 // by context
  std::map<std::pair<std::uint64_t, CUstreamAttrID>, CUstreamAttrValue> attributes;  // by stream
};
Settings& settings() {
  static auto* settings = new Settings;
  return *settings;
}

CUresult find_limit(CUlimit limit, Context*& context) {
  if (const CUresult bad = current_context(context)) return bad;
  if (limit < 0 || limit >= CU_LIMIT_MAX) return CUDA_ERROR_INVALID_VALUE;
  return kLimits[limit] == kNone ? CUDA_ERROR_UNSUPPORTED_LIMIT : CUDA_SUCCESS;
}

bool is_attribute(CUstreamAttrID attribute) {
  return attribute == CU_STREAM_ATTRIBUTE_ACCESS_POLICY_WINDOW ||
         attribute == CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY ||
         attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP ||
         attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN ||
         attribute == CU_STREAM_ATTRIBUTE_PRIORITY;
}

// Enumerations have their documented values, and there are four memory synchronisation domains.
bool valid(CUstreamAttrID attribute, const CUstreamAttrValue& value) {
  if (attribute == CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY)
    return value.syncPolicy >= CU_SYNC_POLICY_AUTO &&
           value.syncPolicy <= CU_SYNC_POLICY_BLOCKING_SYNC;
  if (attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN)
    return value.memSyncDomain <= CU_LAUNCH_MEM_SYNC_DOMAIN_REMOTE;
  if (attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP)
    return value.memSyncDomainMap.default_ < 4 && value.memSyncDomainMap.remote < 4;
  return true;
}

CUstreamAttrValue initial(const Stream& stream, CUstreamAttrID attribute) {
  CUstreamAttrValue value{};
  if (attribute == CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY)
    value.syncPolicy = CU_SYNC_POLICY_AUTO;
  if (attribute == CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP) value.memSyncDomainMap = {0, 1};
  if (attribute == CU_STREAM_ATTRIBUTE_PRIORITY) value.priority = stream.priority;
  return value;
}

CUresult get(CUstream handle, Implicit implicit, CUstreamAttrID attribute,
             CUstreamAttrValue* value) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (value == nullptr || !is_attribute(attribute)) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(settings().mutex);
  const auto found = settings().attributes.find({stream->id, attribute});
  *value = found != settings().attributes.end() ? found->second : initial(*stream, attribute);
  return CUDA_SUCCESS;
}

CUresult set(CUstream handle, Implicit implicit, CUstreamAttrID attribute,
             const CUstreamAttrValue* value) {
  StreamRef stream;
  if (const CUresult bad = find_stream(handle, implicit, stream)) return bad;
  if (value == nullptr || !is_attribute(attribute) || !valid(attribute, *value))
    return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(settings().mutex);
  settings().attributes[{stream->id, attribute}] = *value;
  return CUDA_SUCCESS;
}

CUresult copy(CUstream to_handle, CUstream from_handle, Implicit implicit) {
  StreamRef to;
  StreamRef from;
  if (const CUresult bad = find_stream(to_handle, implicit, to)) return bad;
  if (const CUresult bad = find_stream(from_handle, implicit, from)) return bad;
  // cuda.h, cuStreamCopyAttributes: "Both streams must have the same context."
  if (to->context != from->context) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(settings().mutex);
  for (const auto& [key, value] : std::map(settings().attributes))
    if (key.first == from->id) settings().attributes[{to->id, key.second}] = value;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuCtxGetLimit(size_t* value, CUlimit limit) {
  SIM_ENTER();
  Context* context = nullptr;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = find_limit(limit, context)) return bad;
  const std::lock_guard lock(settings().mutex);
  const auto found = settings().limits.find({context->id, limit});
  *value = found != settings().limits.end() ? found->second : kLimits[limit];
  return CUDA_SUCCESS;
}
CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = find_limit(limit, context)) return bad;
  // cuda.h, CUlimit: these two "can only be queried"; the granularity is "between 0 and 128".
  if (limit == CU_LIMIT_SHMEM_SIZE || limit == CU_LIMIT_CIG_ENABLED)
    return CUDA_ERROR_NOT_PERMITTED;
  if ((limit == CU_LIMIT_STACK_SIZE && value >= kLocalMemoryOfThread) ||
      (limit == CU_LIMIT_MAX_L2_FETCH_GRANULARITY && value > 128))
    return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(settings().mutex);
  settings().limits[{context->id, limit}] = value;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCacheConfig(CUfunc_cache* result) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(settings().mutex);
  *result = settings().caches[context->id];
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCacheConfig(CUfunc_cache wanted) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (wanted < CU_FUNC_CACHE_PREFER_NONE || wanted > CU_FUNC_CACHE_PREFER_EQUAL)
    return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(settings().mutex);
  settings().caches[context->id] = wanted;
  return CUDA_SUCCESS;
}
// cuda.h, cuCtxSetSharedMemConfig: "has no effect" where the banks have one size.
CUresult cuCtxGetSharedMemConfig(CUsharedconfig* result) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *result = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetSharedMemConfig(CUsharedconfig wanted) {
  SIM_ENTER();
  Context* context = nullptr;
  if (const CUresult bad = current_context(context)) return bad;
  return wanted >= CU_SHARED_MEM_CONFIG_DEFAULT_BANK_SIZE &&
                 wanted <= CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuCtxResetPersistingL2Cache() {
  SIM_ENTER();
  Context* context = nullptr;
  return current_context(context);
}

SIM_PTSZ(cuStreamGetAttribute,
         (CUstream stream, CUstreamAttrID attribute, CUstreamAttrValue* value),
         get(stream, implicit, attribute, value))
SIM_PTSZ(cuStreamSetAttribute,
         (CUstream stream, CUstreamAttrID attribute, const CUstreamAttrValue* value),
         set(stream, implicit, attribute, value))
SIM_PTSZ(cuStreamCopyAttributes, (CUstream to, CUstream from), copy(to, from, implicit))
