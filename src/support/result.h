// Errors are values: Result<T> is a T or an Error. Nothing inside the library throws across a
// layer.
//
// An Error says what kind of failure it was, by which the layers above decide; and it keeps the
// number the failing layer gave (for driver calls the CUresult) and the name of what failed, so
// that a hook can hand the program the native code. All are cheap: no allocation on failure.
#pragma once

#include <tl/expected.hpp>

namespace gmlake {

enum class ErrorKind {
  other,
  memory,       // physical memory could not be had
  mappings,     // addresses, page tables or mappings could not: stitched ranges hold these
  limit,        // the library's own options or books forbid it; there is no number of the driver's
  pool_limit,   // the program's own for one of its memory pools does
  unsupported,  // this driver does not have it
  captured,     // while a stream is being captured it can not be done
};

struct Error {
  int code = 0;           // CUresult for driver calls; 0 only where `kind` is limit or captured
  const char* what = "";  // static storage: the driver function, or what could not be done
  ErrorKind kind = ErrorKind::other;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(int code, const char* what, ErrorKind kind = ErrorKind::other) {
  return tl::unexpected<Error>(Error{code, what, kind});
}
inline tl::unexpected<Error> fail(ErrorKind kind, const char* what) {
  return tl::unexpected<Error>(Error{0, what, kind});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(error);
}

}  // namespace gmlake
