// The runtime door for memory pools: cudart answers, and where its own calls to the driver are not
// seen, the books are kept here (hooks/program_pools.h).
#include "hooks/program_pools.h"
#include "hooks/runtime_door.h"

namespace gmlake::hooks {
namespace {

// The driver, if the call is to be looked at here.
const RealDriver* looks(const RealRuntime& runtime) {
  if (!runtime_open() || Process::get().driver_door()) return nullptr;
  const auto* real = driver_of(runtime);
  return real && real->complete ? real : nullptr;
}

// Cudart's call; `note(driver)` when it has succeeded.
template <typename Native, typename Note>
cudaError_t with_books(const RealRuntime& runtime, Native native, Note note) {
  const cudaError_t result = native();
  const auto* real = looks(runtime);
  if (result == cudaSuccess && real) note(*real);
  return result;
}

CUmemPool_attribute translate(cudaMemPoolAttr which) {
  return static_cast<CUmemPool_attribute>(which);
}
static_assert(static_cast<int>(cudaMemPoolAttrUsedMemHigh) == CU_MEMPOOL_ATTR_USED_MEM_HIGH);

CUmemPoolProps translate(const cudaMemPoolProps& properties) {
  CUmemPoolProps same{};
  same.allocType = static_cast<CUmemAllocationType>(properties.allocType);
  same.handleTypes = static_cast<CUmemAllocationHandleType>(properties.handleTypes);
  same.location.type = static_cast<CUmemLocationType>(properties.location.type);
  same.location.id = properties.location.id;
  same.maxSize = properties.maxSize;
  same.usage = properties.usage;
  return same;
}

}  // namespace

cudaError_t rt_mem_pool_create(cudaMemPool_t* pool, const cudaMemPoolProps* properties,
                               const RealRuntime& runtime) {
  return with_books(
      runtime, [&] { return runtime.rt_mem_pool_create(pool, properties); },
      [&](const RealDriver& real) { pool_made(real, *pool, translate(*properties)); });
}

cudaError_t rt_mem_pool_destroy(cudaMemPool_t pool, const RealRuntime& runtime) {
  if (!looks(runtime)) return runtime.rt_mem_pool_destroy(pool);
  PoolEnds ends(pool);
  const auto result = runtime.rt_mem_pool_destroy(pool);
  ends.settle(result == cudaSuccess);
  return result;
}

cudaError_t rt_mem_pool_trim_to(cudaMemPool_t pool, std::size_t keep, const RealRuntime& runtime) {
  if (const auto* real = looks(runtime)) trim_with(*real, pool, keep);
  return runtime.rt_mem_pool_trim_to(pool, keep);
}

cudaError_t rt_mem_pool_set_attribute(cudaMemPool_t pool, cudaMemPoolAttr which, void* value,
                                      const RealRuntime& runtime) {
  return with_books(
      runtime, [&] { return runtime.rt_mem_pool_set_attribute(pool, which, value); },
      [&](const RealDriver& real) { attribute_set(real, pool, translate(which), value); });
}

cudaError_t rt_mem_pool_get_attribute(cudaMemPool_t pool, cudaMemPoolAttr which, void* value,
                                      const RealRuntime& runtime) {
  return with_books(
      runtime, [&] { return runtime.rt_mem_pool_get_attribute(pool, which, value); },
      [&](const RealDriver& real) { attribute_got(real, pool, translate(which), value); });
}

cudaError_t rt_device_set_mem_pool(int device, cudaMemPool_t pool, const RealRuntime& runtime) {
  return with_books(
      runtime, [&] { return runtime.rt_device_set_mem_pool(device, pool); },
      [&](const RealDriver& real) { pool_is_current(real, device, pool); });
}

cudaError_t rt_set_mem_pool(cudaMemLocation* location, cudaMemAllocationType type,
                            cudaMemPool_t pool, const RealRuntime& runtime) {
  return with_books(
      runtime, [&] { return runtime.rt_set_mem_pool(location, type, pool); },
      [&](const RealDriver& real) {
        if (location->type == cudaMemLocationTypeDevice && type == cudaMemAllocationTypePinned)
          pool_is_current(real, location->id, pool);
      });
}

}  // namespace gmlake::hooks
