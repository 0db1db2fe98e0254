// The program's calls that give work to a stream, as far as no other hook has them
// (work_table.h): passed on, once it is known that the stream is used.
#include <string_view>
#include <type_traits>

#include "hooks/apart.h"
#include "hooks/peers.h"
#include "hooks/pointer.h"
#include "hooks/work.h"
#include "support/fault.h"

namespace gmlake::hooks {
namespace {

// Whether stream 0 is the thread's own in this function.
constexpr bool zero_is_per_thread(std::string_view symbol) {
  return symbol.ends_with("_ptsz") || symbol.ends_with("_ptds");
}

CUstream stream_among() {
  return nullptr;
}
template <typename First, typename... Rest>
CUstream stream_among(First first, Rest... rest) {
  if constexpr (std::is_same_v<First, CUstream>)
    return first;
  else
    return stream_among(rest...);
}

// What a function's name says of it.
struct Kind {
  bool zero_is_per_thread;
  // A copy or a set that is synchronous by its name, though it may return before it is over
  // (cuda_runtime_api.h, "API synchronization behavior").
  bool waits;
  Touch how;
};
constexpr Kind kind_of(std::string_view symbol) {
  const auto has = [&](std::string_view part) {
    return symbol.find(part) != std::string_view::npos;
  };
  const auto how = symbol.starts_with("cuMemset")    ? Touch::set
                   : !symbol.starts_with("cuMemcpy") ? Touch::nothing
                   : has("Peer")                     ? Touch::copy_between
                                                     : Touch::copy;
  return {zero_is_per_thread(symbol), how != Touch::nothing && !has("Async"), how};
}

// Natively what was freed is no memory, and the call is refused.
template <typename... Args>
bool touches_nobodys(Args... args) {
  bool touched = false;
  if (Process::get().has_pools() && !touches_nothing(args...))
    each_address([&](CUdeviceptr at) { touched = touched || is_nobodys(at); }, args...);
  return touched;
}

// CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: where it touches a block that has it, it is over when the call
// returns.
template <typename... Args>
CUresult finish(bool zero_is_per_thread, Args... args) {
  bool touched = false;
  each_address([&](CUdeviceptr at) { touched = touched || is_synchronous_block(at); }, args...);
  if (!touched) return CUDA_SUCCESS;
  return zero_is_per_thread ? stream_synchronize_ptsz(nullptr) : stream_synchronize(nullptr);
}

// Between devices that are no peers.
template <Kind kKind, typename... Args>
CUresult give_apart(const RealDriver& real, PeerCopy& copy, Args... args) {
  name_contexts(real, copy);
  if constexpr ((std::is_same_v<Args, CUstream> || ...)) {
    const auto native = kKind.zero_is_per_thread ? real.gives_cuMemcpy3DPeerAsync_ptsz
                                                 : real.gives_cuMemcpy3DPeerAsync;
    return native ? native(&copy, stream_among(args...)) : CUDA_ERROR_INVALID_VALUE;
  } else {
    const auto native =
        kKind.zero_is_per_thread ? real.gives_cuMemcpy3DPeer_ptds : real.gives_cuMemcpy3DPeer;
    return native ? native(&copy) : CUDA_ERROR_INVALID_VALUE;
  }
}

template <auto Native, Kind kKind, typename... Args>
CUresult give(Args... args) {
  const auto* real = real_driver();
  if (!real || !(real->*Native)) return CUDA_ERROR_NOT_FOUND;
  if (!GMLAKE_FAULT(fill_unseen))
    before_work(*real, stream_among(args...), kKind.zero_is_per_thread);
  [[maybe_unused]] bool apart = false;
  if constexpr (kKind.how != Touch::nothing) {
    if (touches_nobodys(args...)) return CUDA_ERROR_INVALID_VALUE;
    if (const auto refused = before_touch(*real, stream_among(args...), kKind.zero_is_per_thread,
                                          kKind.how, apart, args...))
      return refused;
  }
  PeerCopy copy{};
  const bool as_peers = apart && as_peer_copy(copy, args...);
  const CUresult result =
      as_peers ? give_apart<kKind>(*real, copy, args...) : (real->*Native)(args...);
  if constexpr (kKind.waits)
    if (result == CUDA_SUCCESS && synchronous_blocks())
      return finish(kKind.zero_is_per_thread, args...);
  return result;
}

}  // namespace

// The table names types only: names for as many parameters as there are.
#define GMLAKE_NAMED_1(A) A a
#define GMLAKE_NAMED_2(A, B) A a, B b
#define GMLAKE_NAMED_3(A, B, C) A a, B b, C c
#define GMLAKE_NAMED_4(A, B, C, D) A a, B b, C c, D d
#define GMLAKE_NAMED_5(A, B, C, D, E) A a, B b, C c, D d, E e
#define GMLAKE_NAMED_6(A, B, C, D, E, F) A a, B b, C c, D d, E e, F f
#define GMLAKE_NAMED_7(A, B, C, D, E, F, G) A a, B b, C c, D d, E e, F f, G g
#define GMLAKE_NAMED_8(A, B, C, D, E, F, G, H) A a, B b, C c, D d, E e, F f, G g, H h
#define GMLAKE_NAMED_9(A, B, C, D, E, F, G, H, I) A a, B b, C c, D d, E e, F f, G g, H h, I i
#define GMLAKE_NAMES_1 a
#define GMLAKE_NAMES_2 a, b
#define GMLAKE_NAMES_3 a, b, c
#define GMLAKE_NAMES_4 a, b, c, d
#define GMLAKE_NAMES_5 a, b, c, d, e
#define GMLAKE_NAMES_6 a, b, c, d, e, f
#define GMLAKE_NAMES_7 a, b, c, d, e, f, g
#define GMLAKE_NAMES_8 a, b, c, d, e, f, g, h
#define GMLAKE_NAMES_9 a, b, c, d, e, f, g, h, i
#define GMLAKE_TENTH(A, B, C, D, E, F, G, H, I, tenth, ...) tenth
#define GMLAKE_FOR_COUNT(prefix, ...)                                                         \
  GMLAKE_TENTH(__VA_ARGS__, prefix##9, prefix##8, prefix##7, prefix##6, prefix##5, prefix##4, \
               prefix##3, prefix##2, prefix##1, )
#define GMLAKE_NAMED(...) GMLAKE_FOR_COUNT(GMLAKE_NAMED_, __VA_ARGS__)(__VA_ARGS__)
#define GMLAKE_NAMES(...) GMLAKE_FOR_COUNT(GMLAKE_NAMES_, __VA_ARGS__)

#define X(symbol, wrapper, result, parameters)                                    \
  result wrapper(GMLAKE_NAMED parameters) {                                       \
    return give<&RealDriver::wrapper, kind_of(#symbol)>(GMLAKE_NAMES parameters); \
  }
GMLAKE_WORK_HOOKS(X)
#undef X

}  // namespace gmlake::hooks
