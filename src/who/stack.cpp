#include "who/stack.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
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

Place nowhere(std::uintptr_t address) {
  return {"", fmt::format("{:#x}", address), false};
}
Place in_library(const std::string& library, std::uintptr_t address, std::uintptr_t base) {
  const bool between =
      is_ours(address) || library.starts_with("libcudart") || library.starts_with("libcuda.so");
  return {library, fmt::format("{}+{:#x}", library, address - base), between};
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
    return nowhere(address);
  auto place = in_library(without_folder(info.dli_fname), address,
                          reinterpret_cast<std::uintptr_t>(info.dli_fbase));
  if (info.dli_sname) place.text = fmt::format("{} ({})", readable(info.dli_sname), place.library);
  return place;
}

Loaded::Loaded() {
  struct Walk {
    std::vector<Object>& objects;
    bool whole = true;
  } walk{objects_};
  // Names and segments are there as long as this goes on.
  (void)dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        auto& [objects, whole] = *static_cast<Walk*>(out);
        const bool program = !info->dlpi_name || *info->dlpi_name == 0;
        try {
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& segment = info->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
            const auto begin = info->dlpi_addr + segment.p_vaddr;
            objects.push_back(
                {begin, begin + segment.p_memsz, info->dlpi_addr,
                 program ? program_invocation_short_name : without_folder(info->dlpi_name)});
          }
        } catch (const std::bad_alloc&) {  // the linker's own frames are in between
          whole = false;
        }
        return whole ? 0 : 1;
      },
      &walk);
  if (!walk.whole) throw std::bad_alloc();
  std::sort(objects_.begin(), objects_.end(),
            [](const Object& a, const Object& b) { return a.begin < b.begin; });
}

const Loaded::Object* Loaded::object_of(std::uintptr_t address) const {
  const auto next =
      std::upper_bound(objects_.begin(), objects_.end(), address,
                       [](std::uintptr_t at, const Object& one) { return at < one.begin; });
  return next == objects_.begin() || address >= std::prev(next)->end ? nullptr : &*std::prev(next);
}

Place Loaded::place_of(std::uintptr_t address) const {
  const auto* const object = object_of(address);
  return object ? in_library(object->name, address, object->base) : nowhere(address);
}

Loaded::Range Loaded::code_around(std::uintptr_t address) const {
  const auto* const object = object_of(address);
  return object ? Range{object->begin, object->end} : Range{};
}

}  // namespace gmlake::who
