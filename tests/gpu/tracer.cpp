// A library to preload that logs which driver functions a CUDA runtime asks cuGetProcAddress for,
// and which of them stand behind each runtime call. x86-64 only; nothing to do with libgmlake.so.
//
// Every pointer that cuGetProcAddress hands out is replaced by a stub that notes its number and
// jumps to the real function with all argument registers as they were. The program says where a
// runtime call begins by calling gmlake_tracer_mark(name), found by dlsym. At exit the log goes to
// the file that TRACER_LOG names, one line of JSON each:
//
//   {"asked": base name, "version", "flags", "elf": ELF name, "same": is it dlsym's pointer for it}
//   {"call": mark, "driver": [functions in the order of their calls, repeated ones counted]}
//
// Stubs are handed out under a lock; counting calls is for programs with one thread.
#include <cuda.h>
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#define TRACER_API extern "C" __attribute__((visibility("default")))

// 1024 stubs of 16 bytes: push the number, jump to the common part. That keeps the six integer and
// eight vector registers that carry arguments, asks tracer_enter for the target and jumps there.
__asm__(R"(
.text
.balign 16
.globl tracer_stubs
.hidden tracer_stubs
tracer_stubs:
.set number, 0
.rept 1024
  .balign 16
  endbr64
  pushq $number
  jmp tracer_common
  .set number, number + 1
.endr
tracer_common:
  pushq %rdi
  pushq %rsi
  pushq %rdx
  pushq %rcx
  pushq %r8
  pushq %r9
  pushq %rax
  movq 56(%rsp), %rdi
  subq $136, %rsp
  movups %xmm0, (%rsp)
  movups %xmm1, 16(%rsp)
  movups %xmm2, 32(%rsp)
  movups %xmm3, 48(%rsp)
  movups %xmm4, 64(%rsp)
  movups %xmm5, 80(%rsp)
  movups %xmm6, 96(%rsp)
  movups %xmm7, 112(%rsp)
  call tracer_enter
  movq %rax, %r11
  movups (%rsp), %xmm0
  movups 16(%rsp), %xmm1
  movups 32(%rsp), %xmm2
  movups 48(%rsp), %xmm3
  movups 64(%rsp), %xmm4
  movups 80(%rsp), %xmm5
  movups 96(%rsp), %xmm6
  movups 112(%rsp), %xmm7
  addq $136, %rsp
  popq %rax
  popq %r9
  popq %r8
  popq %rcx
  popq %rdx
  popq %rsi
  popq %rdi
  addq $8, %rsp
  jmp *%r11
)");
extern "C" char tracer_stubs[];

namespace {

constexpr std::size_t kStubs = 1024;
constexpr std::size_t kStubBytes = 16;

using Dlsym = void* (*)(void*, const char*);
Dlsym real_dlsym() {
  static const auto real = reinterpret_cast<Dlsym>(dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5"));
  return real;
}

struct Target {
  void* real;
  std::string name;
};
struct Asked {
  std::string base;
  int version;
  unsigned long long flags;
  std::string elf;
  bool same;
};
struct Section {
  std::string mark;
  std::vector<std::pair<std::size_t, unsigned>> calls;  // stub, how often in a row
};

// Leaked: the runtime calls until the very end of exit().
struct State {
  std::mutex lock;
  std::vector<Target> targets;
  std::vector<Asked> asked;
  std::vector<Section> sections{{"before the first mark", {}}};
};
State& state() {
  static auto* made = [] {
    auto* fresh = new State;
    fresh->targets.reserve(kStubs);
    std::atexit([] {
      const char* path = std::getenv("TRACER_LOG");
      std::FILE* out = path != nullptr ? std::fopen(path, "w") : nullptr;
      if (out == nullptr) return;
      for (const auto& one : state().asked)
        std::fprintf(out,
                     "{\"asked\": \"%s\", \"version\": %d, \"flags\": %llu, \"elf\": \"%s\", "
                     "\"same\": %s}\n",
                     one.base.c_str(), one.version, one.flags, one.elf.c_str(),
                     one.same ? "true" : "false");
      for (const auto& section : state().sections) {
        std::string list;
        for (const auto& [stub, times] : section.calls) {
          list += list.empty() ? "\"" : ", \"";
          list += state().targets[stub].name;
          if (times > 1) list += " x" + std::to_string(times);
          list += '"';
        }
        std::fprintf(out, "{\"call\": \"%s\", \"driver\": [%s]}\n", section.mark.c_str(),
                     list.c_str());
      }
      std::fclose(out);
    });
    return fresh;
  }();
  return *made;
}

// The stub for a driver function, made if it has none.
void* stub_for(const char* base, int version, unsigned long long flags, void* real) {
  State& s = state();
  const std::lock_guard hold(s.lock);
  Dl_info info{};
  const bool known = dladdr(real, &info) != 0 && info.dli_sname != nullptr;
  const bool exact = known && info.dli_saddr == real;
  s.asked.push_back({base, version, flags, exact ? info.dli_sname : "", exact});
  std::size_t i = 0;
  while (i < s.targets.size() && s.targets[i].real != real) ++i;
  if (i == kStubs) return real;
  if (i == s.targets.size()) s.targets.push_back({real, exact ? info.dli_sname : base});
  return tracer_stubs + i * kStubBytes;
}

// What stands before the real cuGetProcAddress_v2, found by the first dlsym for it.
decltype(&::cuGetProcAddress_v2) real_get = nullptr;

CUresult get_proc_address(const char* symbol, void** out, int version, cuuint64_t flags,
                          CUdriverProcAddressQueryResult* status) {
  const CUresult code = real_get(symbol, out, version, flags, status);
  if (code != CUDA_SUCCESS || out == nullptr || *out == nullptr) return code;
  if (*out == reinterpret_cast<void*>(real_get)) {
    *out = reinterpret_cast<void*>(get_proc_address);
  } else {
    *out = stub_for(symbol, version, flags, *out);
  }
  return code;
}

}  // namespace

extern "C" __attribute__((visibility("hidden"), used)) void* tracer_enter(std::size_t stub) {
  auto& calls = state().sections.back().calls;
  if (!calls.empty() && calls.back().first == stub) {
    ++calls.back().second;
  } else {
    calls.emplace_back(stub, 1);
  }
  return state().targets[stub].real;
}

TRACER_API void gmlake_tracer_mark(const char* name) {
  state().sections.push_back({name, {}});
}

TRACER_API void* dlsym(void* handle, const char* name) noexcept {
  void* const found = real_dlsym()(handle, name);
  if (found == nullptr || std::strcmp(name, "cuGetProcAddress_v2") != 0) return found;
  real_get = reinterpret_cast<decltype(real_get)>(found);
  return reinterpret_cast<void*>(get_proc_address);
}
