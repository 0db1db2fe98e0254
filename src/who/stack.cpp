#include "who/stack.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include <cxxabi.h>
#include <dlfcn.h>
#include <spdlog/fmt/fmt.h>
#include <unwind.h>

// Of the library this is linked into.
extern "C" {
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char _end __attribute__((visibility("hidden")));
}

namespace gmlake::who {
namespace {

bool is_ours(std::uintptr_t address) {
  return address >= reinterpret_cast<std::uintptr_t>(&__ehdr_start) &&
         address < reinterpret_cast<std::uintptr_t>(&_end);
}

// x86-64: a call leaves its return address below the frame of who calls.
constexpr std::size_t kReturnAddress = sizeof(std::uintptr_t);

const char* without_folder(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

std::string readable(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  return status == 0 && name ? name.get() : symbol;
}

}  // namespace

Stack Stack::here(const void* frame, Chain& chain) {
  struct Walk {
    Stack stack;
    Chain& chain;
    bool is_whole = true;
  } walk{{}, chain};
  chain.frame_ = frame;
  chain.count_ = 0;
  (void)_Unwind_Backtrace(
      [](_Unwind_Context* context, void* out) {
        auto& [stack, to, is_whole] = *static_cast<Walk*>(out);
        int before = 0;
        auto address = static_cast<std::uintptr_t>(_Unwind_GetIPInfo(context, &before));
        if (address == 0) return _URC_END_OF_STACK;
        const auto slot = static_cast<std::uintptr_t>(_Unwind_GetCFA(context)) - kReturnAddress;
        if (slot > reinterpret_cast<std::uintptr_t>(to.frame_)) {
          is_whole = is_whole && to.count_ < Chain::kMost && Chain::value_at(slot) == address;
          if (is_whole) {
            to.slots_[to.count_] = slot;
            to.values_[to.count_++] = address;
          }
        }
        if (before == 0) --address;  // behind the call: perhaps in another function already
        if (stack.depth == 0 && is_ours(address)) return _URC_NO_REASON;
        stack.frames[stack.depth++] = address;
        return stack.depth == kMost ? _URC_END_OF_STACK : _URC_NO_REASON;
      },
      &walk);
  if (!walk.is_whole || chain.count_ == 0) chain.frame_ = nullptr;
  return walk.stack;
}

Place place_of(std::uintptr_t address) {
  Dl_info info{};
  // A look at what is exported, as the dynamic linker has it.
  if (dladdr(reinterpret_cast<const void*>(address), &info) == 0 || !info.dli_fname)
    return {"", fmt::format("{:#x}", address), false};
  const std::string library = without_folder(info.dli_fname);
  const bool between =
      is_ours(address) || library.starts_with("libcudart") || library.starts_with("libcuda.so");
  auto text = info.dli_sname
                  ? fmt::format("{} ({})", readable(info.dli_sname), library)
                  : fmt::format("{}+{:#x}", library,
                                address - reinterpret_cast<std::uintptr_t>(info.dli_fbase));
  return {library, std::move(text), between};
}

}  // namespace gmlake::who
