#include "hooks/nvtx.h"

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>

#include "hooks/holders.h"
#include "hooks/wrappers.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {
namespace {

using namespace nvtx;

// The ranges that a thread has pushed and not popped, of all domains, the outermost first. Those
// further in than kMost have no names.
struct Ranges {
  struct Open {
    const void* domain = nullptr;
    who::Name outside = 0;  // what held before
  };
  static constexpr int kMost = 8;  // in the room that there is for a library loaded late
  int count = 0, further = 0;
  Open open[kMost] = {};

  int level_in(const void* domain) const {
    const auto of =
        std::count_if(open, open + count, [&](const Open& one) { return one.domain == domain; });
    return static_cast<int>(of) + further;
  }
};
constinit thread_local Ranges ranges __attribute__((tls_model("initial-exec")));

// PyTorch's emit_nvtx numbers each operator's range; what it is for stands before that.
std::string_view without_numbers(std::string_view name) {
  for (const std::string_view number : {", seq = ", ", op_id = "})
    name = name.substr(0, name.find(number));
  return name;
}

// The level in its domain of the range that begins: the outermost is 0. Without a name of its own,
// or where no more are kept, it has that of the one around it.
int push_in(const void* domain, const char* name) {
  const int level = ranges.level_in(domain);
  if (ranges.count == Ranges::kMost) {
    ++ranges.further;
    return level;
  }
  ranges.open[ranges.count++] = {domain, current_name()};
  const NoCancel whole;
  try {
    if (name)
      if (const auto number = number_of_name(std::string(without_numbers(name)).c_str()))
        set_name(number);
  } catch (const std::exception&) {  // no host memory: it goes without
  }
  return level;
}

int pop_in(const void* domain) {
  constexpr int kNone = -2;  // NVTX_NO_PUSH_POP_TRACKING
  if (ranges.further != 0) {
    --ranges.further;
    return ranges.level_in(domain);
  }
  int at = ranges.count - 1;
  while (at >= 0 && ranges.open[at].domain != domain) --at;
  if (at < 0) return kNone;
  const auto outside = ranges.open[at].outside;
  if (at == ranges.count - 1)
    set_name(outside);
  else
    ranges.open[at + 1].outside = outside;  // another domain's goes on
  std::copy(ranges.open + at + 1, ranges.open + ranges.count, ranges.open + at);
  --ranges.count;
  return ranges.level_in(domain);
}

// Strings of the program's stay where they are; what a registered one's handle says is ours.
int push_with_in(const void* domain, const Attributes* of) {
  const bool named = of && (of->message_type == kText || of->message_type == kRegistered);
  return push_in(domain, named ? static_cast<const char*>(of->message) : nullptr);
}

int push(const char* name) {
  return push_in(nullptr, name);
}
int push_wide(const wchar_t*) {
  return push_in(nullptr, nullptr);
}
int push_with(const Attributes* of) {
  return push_with_in(nullptr, of);
}
int pop() {
  return pop_in(nullptr);
}
// NVTX has no domains of its own where no tool makes them. Any address tells them apart.
const void* domain_create(const char* name) {
  const NoCancel whole;
  try {
    return kept_name(name);
  } catch (const std::exception&) {
    return nullptr;
  }
}
const void* domain_register(const void*, const char* text) {
  return domain_create(text);
}

template <typename Ours>
void fill(Function** table, unsigned count, unsigned number, Ours* ours) {
  if (number < count && table[number]) *table[number] = reinterpret_cast<Function>(ours);
}

}  // namespace

void ranges_after_fork() {
  ranges = {};
}

extern "C" GMLAKE_EXPORT int InitializeInjectionNvtx2(const void* (*tables)(std::uint32_t)) {
  const auto* const callbacks = static_cast<const Callbacks*>(tables(kCallbacks));
  if (!callbacks || callbacks->size < sizeof *callbacks) return 0;
  Function** table = nullptr;
  unsigned count = 0;
  if (callbacks->functions(Module::core, &table, &count) != 0) {
    fill(table, count, kPushA, push);
    fill(table, count, kPushW, push_wide);
    fill(table, count, kPushEx, push_with);
    fill(table, count, kPop, pop);
  }
  if (callbacks->functions(Module::core2, &table, &count) != 0) {
    fill(table, count, kDomainPushEx, push_with_in);
    fill(table, count, kDomainPop, pop_in);
    fill(table, count, kDomainRegisterA, domain_register);
    fill(table, count, kDomainCreateA, domain_create);
  }
  return 1;
}

}  // namespace gmlake::hooks
