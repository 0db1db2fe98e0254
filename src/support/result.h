// Errors are values: Result<T> is a T or an Error. Nothing inside the library throws across a
// layer.
//
// An Error keeps the number the failing layer gave (for driver calls the CUresult) and the name of
// what failed, so that a hook can hand the program the native code. Both are cheap: no allocation
// on failure.
#pragma once

#include <tl/expected.hpp>

namespace gmlake {

struct Error {
  int code = 0;           // CUresult for driver calls; 0 is never an error
  const char* what = "";  // static storage: the driver function, or what could not be done
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(int code, const char* what) {
  return tl::unexpected<Error>(Error{code, what});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(error);
}

}  // namespace gmlake
