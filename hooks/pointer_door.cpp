// The driver door: what a program asks about a pointer. A block of the pool answers as the memory
// natively would that it stands for: by its own start, size, context and id, and never as virtual
// memory that the program could get a handle of. All else about it (device, access, mapping) is the
// driver's to say, as is everything about other memory. So does a block of another process's pool
// that is open here (hooks/ipc.h).
#include <array>

#include "hooks/ipc.h"
#include "hooks/own_memory.h"
#include "hooks/pointer.h"
#include "hooks/program_pools.h"
#include "hooks/serve.h"

namespace gmlake::hooks {

std::atomic<bool> any_synchronous_block{false};

namespace {

// The pool whose memory it is, or was, or will be.
pool::DevicePool* owner_of(CUdeviceptr at) {
  auto& process = Process::get();
  return process.driver_door() && !process.has_given_up() ? process.owner(at) : nullptr;
}

template <typename Found, typename Look>
std::optional<Found> found(Look look) {
  std::optional<Found> seen;
  (void)guarded([&] { seen = look(); });
  return seen;
}
// What a question is about: a block of a pool of this process, or (no owner) of another's; or no
// block, where one was or may be; or memory that the driver has to say everything of.
struct Asked {
  pool::DevicePool* owner = nullptr;
  std::optional<pool::BlockView> block;
  bool is_drivers() const { return !owner && !block; }
};
Asked asked(CUdeviceptr at) {
  if (auto* const owner = owner_of(at))
    return {owner, found<pool::BlockView>([&] { return owner->view(at); })};
  const auto opened = Process::get().driver_door() ? opened_range(at) : std::nullopt;
  if (!opened) return {};
  pool::BlockView block;
  block.start = opened->start;
  block.size = opened->bytes;
  block.context = opened->context;
  return {nullptr, block};
}
std::optional<pool::BlockNote> note(pool::DevicePool& owner, CUdeviceptr at,
                                    std::optional<bool> synchronous = {}) {
  return found<pool::BlockNote>([&] { return owner.note(at, synchronous); });
}

template <typename T>
CUresult put(void* data, T value) {
  *static_cast<T*>(data) = value;
  return CUDA_SUCCESS;
}

bool is_ours(CUpointer_attribute which) {
  switch (which) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
      return true;
    default:
      return false;
  }
}

CUresult answer(const RealDriver& real, const Asked& about, CUpointer_attribute which, void* data,
                CUdeviceptr at) {
  const auto& block = *about.block;
  switch (which) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      return put(data, static_cast<CUcontext>(block.context));
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
      return put(data, CUdeviceptr{block.start});
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
      return put(data, std::size_t{block.size});
    // Who is told that cuIpcGetMemHandle refuses it goes another way.
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
      return put(data, int{about.owner && !block.of_stream &&
                           Process::get().config().pool_ipc == config::IpcMode::emulate});
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
      return put(data, static_cast<unsigned long long>(CU_MEM_HANDLE_TYPE_NONE));
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
      return put(data, block.of_stream ? pool_of_block(real, *about.owner, block.start) : nullptr);
    default:
      break;
  }
  if (!about.owner) {
    if (which == CU_POINTER_ATTRIBUTE_BUFFER_ID) return real.pointer_get_attribute(data, which, at);
    const auto opened = opened_range(at);
    return opened ? put(data, unsigned{opened->synchronous}) : CUDA_ERROR_INVALID_VALUE;
  }
  const auto noted = note(*about.owner, block.start);
  if (!noted) return CUDA_ERROR_INVALID_VALUE;
  return which == CU_POINTER_ATTRIBUTE_BUFFER_ID
             ? put(data, static_cast<unsigned long long>(noted->id))
             : put(data, unsigned{noted->synchronous});
}

}  // namespace

CUresult pointer_get_attribute(void* data, CUpointer_attribute which, CUdeviceptr at) {
  GMLAKE_REAL(pointer_get_attribute);
  const auto about = data ? asked(at) : Asked{};
  if (!about.is_drivers() && !about.block) return CUDA_ERROR_INVALID_VALUE;
  return about.block && is_ours(which) ? answer(*real, about, which, data, at)
                                       : real->pointer_get_attribute(data, which, at);
}

CUresult pointer_get_attributes(unsigned count, CUpointer_attribute* which, void** data,
                                CUdeviceptr at) {
  GMLAKE_REAL(pointer_get_attributes);
  const auto about = which && data ? asked(at) : Asked{};
  if (about.is_drivers()) return real->pointer_get_attributes(count, which, data, at);
  // What is no memory of CUDA's is no error here, as natively.
  constexpr CUdeviceptr kNothing = 1;
  if (!about.block) return real->pointer_get_attributes(count, which, data, kNothing);

  // Those that are not ours in few calls, with as many as there are attributes in one.
  std::array<CUpointer_attribute, 32> theirs{};
  std::array<void*, theirs.size()> into{};
  unsigned gathered = 0;
  const auto ask = [&] {
    const unsigned n = std::exchange(gathered, 0);
    return n == 0 ? CUDA_SUCCESS : real->pointer_get_attributes(n, theirs.data(), into.data(), at);
  };
  for (unsigned i = 0; i < count; ++i) {
    if (is_ours(which[i])) continue;
    theirs[gathered] = which[i];
    into[gathered] = data[i];
    if (++gathered == theirs.size())
      if (const auto bad = ask()) return bad;
  }
  if (const auto bad = ask()) return bad;
  for (unsigned i = 0; i < count; ++i)
    if (is_ours(which[i]))
      if (const auto bad = answer(*real, about, which[i], data[i], at)) return bad;
  return CUDA_SUCCESS;
}

CUresult pointer_set_attribute(const void* value, CUpointer_attribute which, CUdeviceptr at) {
  GMLAKE_REAL(pointer_set_attribute);
  const auto about = value && which == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS ? asked(at) : Asked{};
  if (about.is_drivers()) return real->pointer_set_attribute(value, which, at);
  const auto on = *static_cast<const unsigned*>(value);
  const auto noted = [&] {
    return about.owner ? note(*about.owner, at, on != 0).has_value()
                       : opened_range(at, on != 0).has_value();
  };
  if (on > 1 || !noted()) return CUDA_ERROR_INVALID_VALUE;
  if (on != 0) any_synchronous_block.store(true, std::memory_order_release);
  return CUDA_SUCCESS;
}

bool is_synchronous_block(CUdeviceptr at) {
  auto* const owner = owner_of(at);
  if (!owner) {
    const auto opened = opened_range(at);
    return opened && opened->synchronous;
  }
  bool is = false;
  (void)guarded([&] { is = owner->is_synchronous(at); });
  return is;
}

bool is_nobodys(CUdeviceptr at) {
  const auto* const owner = owner_of(at);
  bool is = false;
  if (owner) (void)guarded([&] { is = owner->is_nobodys(at); });
  return is;
}

CUresult mem_get_address_range(CUdeviceptr* start, std::size_t* size, CUdeviceptr at) {
  GMLAKE_REAL(mem_get_address_range);
  const CUresult result = real->mem_get_address_range(start, size, at);
  const auto about = result == CUDA_SUCCESS ? asked(at) : Asked{};
  if (about.is_drivers()) return result;
  if (!about.block) return CUDA_ERROR_NOT_FOUND;
  if (start) *start = about.block->start;
  if (size) *size = about.block->size;
  return CUDA_SUCCESS;
}

CUresult mem_retain_allocation_handle(CUmemGenericAllocationHandle* handle, void* at) {
  GMLAKE_REAL(mem_retain_allocation_handle);
  if (!asked(reinterpret_cast<CUdeviceptr>(at)).is_drivers()) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = real->mem_retain_allocation_handle(handle, at);
  if (result == CUDA_SUCCESS) own_handle_retained(reinterpret_cast<CUdeviceptr>(at), *handle);
  return result;
}
CUresult mem_set_access(CUdeviceptr at, std::size_t size, const CUmemAccessDesc* descriptions,
                        std::size_t count) {
  GMLAKE_REAL(mem_set_access);
  return asked(at).is_drivers() ? real->mem_set_access(at, size, descriptions, count)
                                : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace gmlake::hooks
