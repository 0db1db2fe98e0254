#include "hooks/holders.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "hooks/gmlake.h"
#include "hooks/real.h"
#include "hooks/wrappers.h"
#include "stats/process_stamp.h"
#include "support/lasting.h"
#include "support/no_cancel.h"

namespace gmlake::hooks {

constinit std::atomic<who::Ledger*> ledger_in_use{nullptr};

namespace {

constexpr std::size_t kMostHolders = 64;  // in a report

constinit std::atomic<stats::HoldersRecord*> shown{nullptr};

who::Names& names() {
  return lasting<who::Names>();
}

struct OfThread {
  who::Name name = 0;
  who::Ledger::Countdown until;
};
constinit thread_local OfThread here __attribute__((tls_model("initial-exec")));

stats::StreamName name_of(const pool::Origin& origin) {
  if (origin.host()) return {stats::StreamName::Kind::host, 0, origin.context};
  return {origin.kind, origin.stream_id, origin.context};
}

}  // namespace

void begin_noting(Bytes sample_bytes, stats::HoldersRecord* record) {
  if (sample_bytes == 0 || ledger_in_use.load()) return;
  shown.store(record);
  auto& ledger = lasting<who::Ledger>();
  ledger.begin(sample_bytes, [](const char* name) { return real_dlsym()(RTLD_DEFAULT, name); });
  ledger_in_use.store(&ledger, std::memory_order_release);
}

// Another thread may have had their locks. The ledger's is not taken any more.
void noting_after_fork() {
  ledger_in_use.store(nullptr);
  shown.store(nullptr);
  here.name = 0;
  new (&names()) who::Names;
}

void note_holder(who::Ledger& ledger, Action action, const pool::Origin& origin,
                 std::uint64_t pointer, Bytes bytes) {
  if (action == Action::allocate || action == Action::allocate_natively)
    ledger.allocated(pointer, bytes, name_of(origin), here.name, here.until);
  else if (action == Action::free || action == Action::free_natively)
    ledger.freed(pointer);
  else if (action == Action::context_ends)
    ledger.forget_context(reinterpret_cast<const void*>(pointer));
}

bool shows_holders() {
  return shown.load(std::memory_order_relaxed) != nullptr;
}

// What it can not do for want of host memory it tries again.
void show_holders() {
  using Clock = std::chrono::steady_clock;
  static std::uint64_t last = 0;
  static Clock::time_point next{};
  const auto* ledger = ledger_in_use.load(std::memory_order_acquire);
  auto* const record = shown.load(std::memory_order_relaxed);
  const auto begin = Clock::now();
  if (!ledger || !record || begin < next) return;
  const auto changes = ledger->changes();
  if (changes == last) return;
  try {
    const auto holders =
        ledger->holders(stats::HoldersRecord::kMost, names(), who::Ledger::Calls::placed);
    stats::show(*record, holders, stats::monotonic_nanoseconds());
    last = changes;
  } catch (const std::bad_alloc&) {
  }
  const auto end = Clock::now();
  next = end + std::max<Clock::duration>(kBetweenShows, 100 * (end - begin));
}

stats::Holders holders_now() {
  const auto* ledger = ledger_in_use.load(std::memory_order_acquire);
  return ledger ? ledger->holders(kMostHolders, names()) : stats::Holders{};
}

who::Name number_of_name(const char* name) {
  return names().number_of(name);
}
who::Name current_name() {
  return here.name;
}
void set_name(who::Name name) {
  here.name = name;
}
const char* kept_name(const char* name) {
  return names().text_of(names().number_of(name));
}

extern "C" GMLAKE_EXPORT const char* gmlake_annotate(const char* name) {
  const NoCancel whole;
  try {
    return names().text_of(std::exchange(here.name, names().number_of(name)));
  } catch (const std::exception&) {  // no host memory: it stays as it is
    return name;
  }
}

}  // namespace gmlake::hooks
