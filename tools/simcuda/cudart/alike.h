// The runtime's enumerations and structures are the driver's under other names: the same numbers,
// the same bytes. `like(value)` passes one where the other is wanted.
#pragma once

#include <bit>
#include <type_traits>

namespace gmlake::simcudart {

template <typename From>
class Alike {
 public:
  explicit Alike(From value) : value_(value) {}

  template <typename To>
  operator To() const {
    static_assert(sizeof(To) == sizeof(From));
    if constexpr (std::is_pointer_v<From> && std::is_pointer_v<To>) {
      static_assert(same_size<std::remove_pointer_t<From>, std::remove_pointer_t<To>>());
      return (To)value_;  // may take away const: the driver's functions lack it in places
    } else if constexpr (std::is_pointer_v<From>) {
      return reinterpret_cast<To>(value_);  // a CUdeviceptr
    } else if constexpr (std::is_class_v<From>) {
      return std::bit_cast<To>(value_);
    } else {
      return static_cast<To>(value_);
    }
  }

 private:
  template <typename A, typename B>
  static constexpr bool same_size() {
    if constexpr (std::is_void_v<A> || std::is_void_v<B> || std::is_function_v<A>)
      return true;
    else
      return sizeof(A) == sizeof(B);
  }

  From value_;
};

template <typename From>
Alike<From> like(From value) {
  return Alike<From>(value);
}

}  // namespace gmlake::simcudart
