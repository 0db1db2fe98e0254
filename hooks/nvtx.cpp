#include "hooks/nvtx.h"

#include <exception>

#include "hooks/holders.h"
#include "hooks/wrappers.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {
namespace {

using namespace nvtx;

// Ranges of a thread are in each other. Of those further in than kMost none has a name of its own.
struct Ranges {
  static constexpr int kMost = 16;  // in the room that there is for a library loaded late
  int depth = 0;
  who::Name outside[kMost] = {};
};
constinit thread_local Ranges ranges __attribute__((tls_model("initial-exec")));

// The level of the range that begins: the outermost is 0.
int push(const char* name) {
  if (ranges.depth < Ranges::kMost) {
    const NoCancel whole;
    auto& before = ranges.outside[ranges.depth];
    try {
      before = current_name();
      if (name) exchange_name(name);
    } catch (const std::exception&) {  // no host memory: it goes without
    }
  }
  return ranges.depth++;
}

int pop() {
  constexpr int kNone = -2;  // NVTX_NO_PUSH_POP_TRACKING
  if (ranges.depth == 0) return kNone;
  --ranges.depth;
  if (ranges.depth < Ranges::kMost) set_name(ranges.outside[ranges.depth]);
  return ranges.depth;
}

// Strings of the program's stay where they are; what a registered one's handle says is ours.
int push_with(const Attributes* of) {
  const bool named = of && (of->message_type == kText || of->message_type == kRegistered);
  return push(named ? static_cast<const char*>(of->message) : nullptr);
}
int domain_push(void*, const Attributes* of) {
  return push_with(of);
}
int domain_pop(void*) {
  return pop();
}
const void* domain_register(void*, const char* text) {
  const NoCancel whole;
  try {
    return kept_name(text);
  } catch (const std::exception&) {
    return nullptr;
  }
}

template <typename Ours>
void fill(Function** table, unsigned count, unsigned number, Ours* ours) {
  if (number < count && table[number]) *table[number] = reinterpret_cast<Function>(ours);
}

}  // namespace

extern "C" GMLAKE_EXPORT int InitializeInjectionNvtx2(const void* (*tables)(std::uint32_t)) {
  const auto* const callbacks = static_cast<const Callbacks*>(tables(kCallbacks));
  if (!callbacks || callbacks->size < sizeof *callbacks) return 0;
  Function** table = nullptr;
  unsigned count = 0;
  if (callbacks->functions(Module::core, &table, &count) != 0) {
    fill(table, count, kPushA, push);
    fill(table, count, kPushEx, push_with);
    fill(table, count, kPop, pop);
  }
  if (callbacks->functions(Module::core2, &table, &count) != 0) {
    fill(table, count, kDomainPushEx, domain_push);
    fill(table, count, kDomainPop, domain_pop);
    fill(table, count, kDomainRegisterA, domain_register);
  }
  return 1;
}

}  // namespace gmlake::hooks
