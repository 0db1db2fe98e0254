#include "hooks/runtimes.h"

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "hooks/recording.h"

namespace gmlake::hooks {
namespace {

// As many at once as have wrappers. More are left to the driver door.
constexpr std::size_t kMost = 16;
constinit std::array<RealRuntime, kMost> real_runtimes{};

template <auto kWrapper, std::size_t kPlace, typename Function>
struct Stub;
template <auto kWrapper, std::size_t kPlace, typename Result, typename... Parameters>
struct Stub<kWrapper, kPlace, Result (*)(Parameters...)> {
  static Result call(Parameters... parameters) {
    if (record::is_on()) [[unlikely]]  // or all of it is a jump
      return recorded_call(__builtin_return_address(0), parameters...);
    return kWrapper(parameters..., real_runtimes[kPlace]);
  }
  static Result recorded_call(const void* from, Parameters... parameters) {
    const CallSite site(from);
    return kWrapper(parameters..., real_runtimes[kPlace]);
  }
};
template <auto kWrapper, std::size_t kPlace, auto kReal>
constexpr auto stub =
    &Stub<kWrapper, kPlace, std::remove_reference_t<decltype(real_runtimes[0].*kReal)>>::call;

template <std::size_t kPlace>
bool is_taken_by(const ElfObject& object) {
  return object.find("cudaMalloc") ==
         reinterpret_cast<void*>(stub<&rt_malloc, kPlace, &RealRuntime::rt_malloc>);
}

template <std::size_t kPlace>
void take(Redirections& redirections, const ElfObject& object) {
  auto& runtime = real_runtimes[kPlace];
  runtime.space = object.space();
#define X(symbol, wrapper, result, parameters)                                    \
  runtime.wrapper = reinterpret_cast<result(*) parameters>(object.find(#symbol)); \
  redirections.add(object, #symbol, reinterpret_cast<void*>(runtime.wrapper),     \
                   reinterpret_cast<void*>(stub<&hooks::wrapper, kPlace, &RealRuntime::wrapper>));
  GMLAKE_RUNTIME_HOOKS(X)
#undef X
}

struct Place {
  bool (*is_taken_by)(const ElfObject&);
  void (*take)(Redirections&, const ElfObject&);
};
template <std::size_t... kPlaces>
constexpr std::array<Place, kMost> all_places(std::index_sequence<kPlaces...>) {
  return {{{&is_taken_by<kPlaces>, &take<kPlaces>}...}};
}
constexpr auto kPlaces = all_places(std::make_index_sequence<kMost>());

}  // namespace

bool is_runtime(const ElfObject& object) {
  static constexpr char kNode[] = "libcudart.so.";
  const char* version = object.version_of("cudaMalloc");
  if (!version || std::strncmp(version, kNode, sizeof kNode - 1) != 0) return false;
  const char* major = version + sizeof kNode - 1;
  return std::strcmp(major, "12") == 0 || std::strcmp(major, "13") == 0;
}

void take_runtimes(Redirections& redirections, std::span<const ElfObject> runtimes) {
  take_places<kMost>(
      runtimes,
      [](const ElfObject& object, std::size_t place) { return kPlaces[place].is_taken_by(object); },
      [&](const ElfObject& object, std::size_t place) {
        kPlaces[place].take(redirections, object);
      });
}

}  // namespace gmlake::hooks
