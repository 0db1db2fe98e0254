#include "hooks/stand_ins.h"

#include <array>
#include <atomic>
#include <cstring>
#include <new>

#include "support/no_cancel.h"
#include "support/ranked_mutex.h"

// A stand-in jumps to where its place says: at first to gmlake_first_call, with the place's address
// in a register that no call uses (r11, x16); then to the real function.
#define GMLAKE_STAND_INS 64
#define GMLAKE_TEXT_OF(number) #number
#define GMLAKE_TEXT(number) GMLAKE_TEXT_OF(number)

#if defined(__x86_64__)
__asm__(".text\n.set gmlake_stand_ins_count, " GMLAKE_TEXT(GMLAKE_STAND_INS) R"(
.p2align 4
.hidden gmlake_stand_ins
.type gmlake_stand_ins, @function
gmlake_stand_ins:
.set number, 0
.rept gmlake_stand_ins_count
  .p2align 4
  endbr64
  leaq gmlake_stand_in_places+8*number(%rip), %r11
  jmp *(%r11)
  .set number, number + 1
.endr
.size gmlake_stand_ins, .-gmlake_stand_ins

.type gmlake_first_call, @function
gmlake_first_call:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  pushq %rdi
  pushq %rsi
  pushq %rdx
  pushq %rcx
  pushq %r8
  pushq %r9
  pushq %rax
  pushq %r10
  subq $128, %rsp
  movups %xmm0, (%rsp)
  movups %xmm1, 16(%rsp)
  movups %xmm2, 32(%rsp)
  movups %xmm3, 48(%rsp)
  movups %xmm4, 64(%rsp)
  movups %xmm5, 80(%rsp)
  movups %xmm6, 96(%rsp)
  movups %xmm7, 112(%rsp)
  movq %r11, %rdi
  call gmlake_stand_in_called
  movq %rax, %r11
  movups (%rsp), %xmm0
  movups 16(%rsp), %xmm1
  movups 32(%rsp), %xmm2
  movups 48(%rsp), %xmm3
  movups 64(%rsp), %xmm4
  movups 80(%rsp), %xmm5
  movups 96(%rsp), %xmm6
  movups 112(%rsp), %xmm7
  addq $128, %rsp
  popq %r10
  popq %rax
  popq %r9
  popq %r8
  popq %rcx
  popq %rdx
  popq %rsi
  popq %rdi
  popq %rbp
  .cfi_def_cfa %rsp, 8
  jmp *%r11
  .cfi_endproc
.size gmlake_first_call, .-gmlake_first_call
)");
#elif defined(__aarch64__)
__asm__(".text\n.set gmlake_stand_ins_count, " GMLAKE_TEXT(GMLAKE_STAND_INS) R"(
.p2align 5
.hidden gmlake_stand_ins
.type gmlake_stand_ins, %function
gmlake_stand_ins:
.set number, 0
.rept gmlake_stand_ins_count
  .p2align 5
  hint #34
  adrp x16, gmlake_stand_in_places+8*number
  add x16, x16, :lo12:gmlake_stand_in_places+8*number
  ldr x17, [x16]
  br x17
  .set number, number + 1
.endr
.size gmlake_stand_ins, .-gmlake_stand_ins

.type gmlake_first_call, %function
gmlake_first_call:
  .cfi_startproc
  hint #34
  stp x29, x30, [sp, #-224]!
  .cfi_def_cfa_offset 224
  .cfi_offset x29, -224
  .cfi_offset x30, -216
  mov x29, sp
  stp x0, x1, [sp, #16]
  stp x2, x3, [sp, #32]
  stp x4, x5, [sp, #48]
  stp x6, x7, [sp, #64]
  str x8, [sp, #80]
  stp q0, q1, [sp, #96]
  stp q2, q3, [sp, #128]
  stp q4, q5, [sp, #160]
  stp q6, q7, [sp, #192]
  mov x0, x16
  bl gmlake_stand_in_called
  mov x16, x0
  ldp q6, q7, [sp, #192]
  ldp q4, q5, [sp, #160]
  ldp q2, q3, [sp, #128]
  ldp q0, q1, [sp, #96]
  ldr x8, [sp, #80]
  ldp x6, x7, [sp, #64]
  ldp x4, x5, [sp, #48]
  ldp x2, x3, [sp, #32]
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #224
  .cfi_def_cfa_offset 0
  br x16
  .cfi_endproc
.size gmlake_first_call, .-gmlake_first_call
)");
#else
#error "stand-ins are written for x86-64 and aarch64 only"
#endif

extern "C" {
__attribute__((visibility("hidden"))) extern const char gmlake_stand_ins[];
__attribute__((visibility("hidden"))) void gmlake_first_call();
using Target = void (*)();
// Where each goes: all there is to a later call.
__attribute__((visibility("hidden"))) std::atomic<Target> gmlake_stand_in_places[GMLAKE_STAND_INS];
}

namespace gmlake::hooks {
namespace {

#if defined(__x86_64__)
constexpr std::size_t kCodeBytes = 16;
#else
constexpr std::size_t kCodeBytes = 32;
#endif

// Written before the stand-in is handed out.
struct StoodFor {
  void* real = nullptr;
  Effect::Set effects = Effect::none;
  char name[64] = {};
};
std::array<StoodFor, GMLAKE_STAND_INS> stood_for;

RankedMutex<Rank::last> handing_out;
std::size_t used GMLAKE_GUARDED_BY(handing_out) = 0;

}  // namespace

void* stand_in_for(void* real, const char* name, Effect::Set effects) {
  const Lock lock(handing_out);
  std::size_t at = 0;
  while (at < used && stood_for[at].real != real) ++at;
  if (at == stood_for.size()) return nullptr;
  if (at == used) {
    auto& one = stood_for[at];
    one.real = real;
    one.effects = effects;
    std::strncpy(one.name, name, sizeof one.name - 1);
    gmlake_stand_in_places[at].store(gmlake_first_call, std::memory_order_release);
    ++used;
  }
  return const_cast<char*>(gmlake_stand_ins + at * kCodeBytes);
}

void stand_ins_after_fork() {
  new (&handing_out) RankedMutex<Rank::last>;
}

// What is called when a stand-in is, and gives the real function. All that follows from the call is
// settled before it goes on.
extern "C" __attribute__((visibility("hidden"), used)) void* gmlake_stand_in_called(
    std::atomic<Target>* place) {
  const NoCancel whole;
  const auto& one = stood_for[static_cast<std::size_t>(place - gmlake_stand_in_places)];
  unknown_call_comes(one.effects);
  if (place->exchange(reinterpret_cast<Target>(one.real)) == gmlake_first_call)
    say_unknown_call(one.name, one.effects);
  return one.real;
}

}  // namespace gmlake::hooks
