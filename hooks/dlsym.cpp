// The interposed dlsym: how programs with a static cudart, or any dlopen of libcuda, meet our
// driver functions.
//
// glibc takes the meaning of RTLD_NEXT and RTLD_DEFAULT from the caller's return address, so those
// lookups must reach the real dlsym as if we were not there: a tail jump, in assembly because no
// compiler promises one in every build. dlsym_target decides where to jump, before any lookup: no
// malloc, no lock, no getenv for names that are not ours. Handles that programs name are looked up
// for real first and replaced only if the result is exactly the function we stand in front of.
#include <dlfcn.h>

#include <cstring>

#include "hooks/effects.h"
#include "hooks/handed_out.h"
#include "hooks/process.h"
#include "hooks/real.h"

#if defined(__x86_64__)
__asm__(R"(
.text
.globl dlsym
.type dlsym, @function
dlsym:
  .cfi_startproc
  endbr64
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call gmlake_dlsym_target
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  jmp *%rax
  .cfi_endproc
.size dlsym, .-dlsym
)");
#elif defined(__aarch64__)
__asm__(R"(
.text
.globl dlsym
.type dlsym, %function
dlsym:
  .cfi_startproc
  stp x29, x30, [sp, #-32]!
  .cfi_adjust_cfa_offset 32
  stp x0, x1, [sp, #16]
  bl gmlake_dlsym_target
  mov x16, x0
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_adjust_cfa_offset -32
  br x16
  .cfi_endproc
.size dlsym, .-dlsym
)");
#else
#error "dlsym's tail jump is written for x86-64 and aarch64 only"
#endif

namespace gmlake::hooks {

// Built-in atomics and plain arrays: nothing inline from the library, whose copy may be an
// instrumented one.
Dlsym real_dlsym() {
  static constinit Dlsym kept = nullptr;
  if (auto* found = __atomic_load_n(&kept, __ATOMIC_ACQUIRE)) return found;
  void* found = nullptr;
  // By version, because the plain lookup would find ourselves.
  static constexpr const char* kVersions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"};
  for (const char* version : kVersions)
    if (!found) found = dlvsym(RTLD_NEXT, "dlsym", version);
  const auto function = reinterpret_cast<Dlsym>(found);
  __atomic_store_n(&kept, function, __ATOMIC_RELEASE);
  return function;
}

namespace {

enum class Door { none, driver, runtime, unknown };

Door door_of(const char* name) {
  if (name[0] != 'c' || name[1] != 'u') return Door::none;
#define X(symbol, wrapper, result, parameters) \
  if (std::strcmp(name, #symbol) == 0) return Door::driver;
  GMLAKE_DRIVER_HOOKS(X)
#undef X
#define X(symbol, wrapper, result, parameters) \
  if (std::strcmp(name, #symbol) == 0) return Door::runtime;
  GMLAKE_RUNTIME_HOOKS(X)
#undef X
  const bool driver_name = name[2] >= 'A' && name[2] <= 'Z';
  return driver_name && effects_of(name) != Effect::none ? Door::unknown : Door::none;
}

void* substituting_dlsym(void* handle, const char* name) {
  void* found = real_dlsym()(handle, name);
  if (!found) return nullptr;
  const auto& process = Process::get();
  const auto door = door_of(name);
  const bool driver = door == Door::driver || (door == Door::unknown && is_drivers(found));
  if (driver && process.driver_door()) found = substitute_driver(found, name);
  if (door == Door::runtime && process.runtime_door()) found = substitute_runtime(found);
  (void)dlerror();  // what our own lookups did not find is no error of the program's
  return found;
}

}  // namespace

extern "C" __attribute__((visibility("hidden"), used)) Dlsym gmlake_dlsym_target(void* handle,
                                                                                 const char* name) {
  if (handle != RTLD_NEXT && handle != RTLD_DEFAULT && name && door_of(name) != Door::none)
    return substituting_dlsym;
  return real_dlsym();
}

}  // namespace gmlake::hooks
