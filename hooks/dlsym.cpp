// When we look at what has been loaded (settle.h): before the first code of an object that comes,
// and again at a lookup of one of CUDA's names, should that have been missed.
//
// glibc takes the meaning of RTLD_NEXT and RTLD_DEFAULT from the caller's return address, so every
// lookup must reach the real dlsym as if we were not there: a tail jump, in assembly because no
// compiler promises one in every build.
#include <dlfcn.h>

#include <iterator>

#include "hooks/process.h"
#include "hooks/real.h"
#include "hooks/settle.h"

#if defined(__x86_64__)
__asm__(R"(
.text
.macro gmlake_dlsym_as name, place
.type \name, @function
\name:
  .cfi_startproc
  endbr64
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  movl $\place, %edx
  call gmlake_dlsym_target
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  jmp *%rax
  .cfi_endproc
.size \name, .-\name
.endm
)");
#elif defined(__aarch64__)
__asm__(R"(
.text
.macro gmlake_dlsym_as name, place
.type \name, %function
\name:
  .cfi_startproc
  stp x29, x30, [sp, #-32]!
  .cfi_adjust_cfa_offset 32
  stp x0, x1, [sp, #16]
  mov w2, #\place
  bl gmlake_dlsym_target
  mov x16, x0
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_adjust_cfa_offset -32
  br x16
  .cfi_endproc
.size \name, .-\name
.endm
)");
#else
#error "dlsym's tail jump is written for x86-64 and aarch64 only"
#endif
__asm__(R"(
.globl dlsym
gmlake_dlsym_as dlsym, 0
gmlake_dlsym_as gmlake_dlsym_1, 1
gmlake_dlsym_as gmlake_dlsym_2, 2
gmlake_dlsym_as gmlake_dlsym_3, 3
gmlake_dlsym_as gmlake_dlsym_4, 4
)");

extern "C" __attribute__((visibility("hidden"))) void gmlake_dlsym_1(), gmlake_dlsym_2(),
    gmlake_dlsym_3(), gmlake_dlsym_4();

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

constexpr void (*kInNamespaces[])() = {gmlake_dlsym_1, gmlake_dlsym_2, gmlake_dlsym_3,
                                       gmlake_dlsym_4};
constinit Dlsym real_in_namespaces[std::size(kInNamespaces)] = {};

// Names of CUDA's, not cublasCreate.
bool is_cuda(const char* name) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  return name[0] == 'c' && name[1] == 'u' &&
         (is_upper(name[2]) || (name[2] == 'd' && name[3] == 'a' && is_upper(name[4])));
}

// Every dlsym takes the linker's lock, so nobody waits here who would not have waited.
void look() {
  if (!is_settled()) (void)real_dlsym()(RTLD_DEFAULT, "gmlake_settle");
}

}  // namespace

void take_dlsym(Redirections& redirections, std::span<const ElfObject> libraries) {
  const auto ours = [](std::size_t place) { return reinterpret_cast<void*>(kInNamespaces[place]); };
  take_places<std::size(kInNamespaces)>(
      libraries,
      [&](const ElfObject& object, std::size_t place) {
        return object.find("dlsym") == ours(place);
      },
      [&](const ElfObject& object, std::size_t place) {
        auto* real = object.find("dlsym");
        real_in_namespaces[place] = reinterpret_cast<Dlsym>(real);
        redirections.add(object, "dlsym", real, ours(place));
      });
}

extern "C" {

__attribute__((visibility("hidden"), used)) Dlsym gmlake_dlsym_target(void*, const char* name,
                                                                      int place) {
  // What comes in another namespace does not find our __gmon_start__.
  const bool is_ours = name && is_cuda(name);
  if (has_namespaces() || is_ours) look();
  if (is_ours && has_cuda) (void)Process::get();  // the program is about to use it
  return place == 0 ? real_dlsym() : real_in_namespaces[place - 1];
}

// To look up an indirect function is to call its resolver, with the linker's lock held: the one way
// to look at what is loaded while no other thread loads, unloads or is half through binding.
__attribute__((visibility("hidden"), used)) void (*gmlake_resolve_settle())() {
  settle();
  return [] {};
}
GMLAKE_EXPORT void gmlake_settle() __attribute__((ifunc("gmlake_resolve_settle")));

// Every object calls this weak symbol first of all in its initialisation, if there is one: the
// start files of the C compiler see to it, for profilers. All objects that were opened together are
// bound then, and none of their own code has run.
GMLAKE_EXPORT void __gmon_start__() {
  look();
}

}  // extern "C"

}  // namespace gmlake::hooks
