#include "hooks/neighbours.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "hooks/captures.h"
#include "hooks/process.h"
#include "hooks/real.h"
#include "stats/live_reader.h"
#include "stats/mapped_page.h"
#include "stats/page_folder.h"
#include "support/futex.h"

namespace gmlake::hooks {
namespace {

using namespace std::chrono_literals;
using WallClock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kMostWait = 200ms;
constexpr std::chrono::nanoseconds kMostGiving = 10s;  // a terabyte in small handles takes so long
constexpr Bytes kPart = 256 * MiB;
constexpr std::chrono::nanoseconds kPause = 500ms;  // after an answer of nothing

std::atomic<WallClock::rep> quiet_until{0};

// The same in all processes, whatever number the device has there; where two devices of a machine
// share a bit, one gives back what the other was asked for.
std::uint64_t bit_of(int device) {
  const auto* real = real_driver();
  if (!real) return 0;
  std::uint64_t place = 1;
  for (const auto which : {CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID,
                           CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID}) {
    int number = 0;
    if (real->table.cuDeviceGetAttribute_(&number, which, device) != CUDA_SUCCESS) return 0;
    place = place * 0x9e3779b97f4a7c15 + static_cast<unsigned>(number);
  }
  return std::uint64_t{1} << (place * 0x9e3779b97f4a7c15 >> 58);
}

bool has_free_memory(const stats::Report& report) {
  return std::any_of(report.devices.begin(), report.devices.end(), [](const auto& device) {
    return device.counters.physical_bytes > device.counters.live_bytes;
  });
}

// One that has been asked.
struct Asked {
  std::unique_ptr<stats::MappedPage> page;
  std::uint32_t number = 0;  // of its bell
  Bytes given = 0;           // before
  stats::PageView seen;

  bool is_there() const { return stats::life_of(seen) == stats::Life::running; }
  stats::live::Wishes& wishes() const { return page->header()->wishes; }
  bool has_answered(std::uint32_t answered) const {
    return static_cast<std::int32_t>(answered - number) >= 0;
  }
};

std::vector<Asked> ask_all(std::uint64_t device) {
  std::vector<Asked> asked;
  const auto& own = Process::get().live().path();
  for (const auto& path : stats::pages_in(own.substr(0, own.rfind('/')))) {
    std::string problem;
    if (path == own) continue;
    auto seen = stats::read_page(path, problem);
    if (!seen || stats::life_of(*seen) != stats::Life::running || !has_free_memory(seen->report))
      continue;
    Asked one{std::make_unique<stats::MappedPage>(path), 0, 0, std::move(*seen)};
    if (!one.page->header() || one.wishes().heard.load() == 0) continue;
    one.given = one.wishes().given.load();
    one.wishes().wanted.fetch_or(device);
    one.number = one.page->ring();
    asked.push_back(std::move(one));
  }
  return asked;
}

void await_answer(const Asked& one, WallClock::time_point asked) {
  for (;;) {
    const auto answered = one.wishes().answered.load(std::memory_order_acquire);
    const auto most = one.wishes().giving.load() != 0 ? kMostGiving : kMostWait;
    const std::chrono::nanoseconds left = asked + most - WallClock::now();
    if (one.has_answered(answered) || left.count() <= 0) return;
    // Whoever gives may end amid it.
    const timespec step{0, static_cast<long>(std::min(left, kMostWait).count())};
    wait_while(one.wishes().answered, answered, step);
    if (one.wishes().giving.load() != 0 && !one.is_there()) return;
  }
}

// What is free now and no more, as a program in a loop frees on and on. A part at a time: the
// program's own requests come between, and so does the end of exit().
void give(pool::DevicePool& pool, stats::live::Wishes& wishes) {
  for (Bytes left = pool.reusable_bytes(); left != 0 && Process::get().serving();) {
    const Bytes given = pool.trim(0, std::min(kPart, left));
    if (given == 0) return;
    pool.count([&](stats::DeviceCounters& counters) { counters.wished_bytes += given; });
    wishes.given.fetch_add(given, std::memory_order_relaxed);
    left -= std::min(left, given);
  }
}

bool ask_them(std::uint64_t device) {
  const auto start = WallClock::now();
  const auto asked = ask_all(device);
  for (const auto& one : asked) await_answer(one, start);
  return std::any_of(asked.begin(), asked.end(), [](const Asked& one) {
    return one.wishes().given.load(std::memory_order_relaxed) != one.given;
  });
}

}  // namespace

bool ask_neighbours(int device) {
  auto& process = Process::get();
  if (!process.serving() || !process.config().pool_ask_others || !process.live().header())
    return false;
  if (WallClock::now().time_since_epoch().count() < quiet_until.load(std::memory_order_relaxed))
    return false;
  bool got = false;
  try {
    got = ask_them(bit_of(device));
  } catch (const std::bad_alloc&) {  // then there is nobody to be asked
  }
  if (!got) quiet_until = (WallClock::now() + kPause).time_since_epoch().count();
  return got;
}

void hear_wishes(stats::live::Header& page) {
  page.wishes.heard.store(1, std::memory_order_release);
}

void answer_wishes(stats::live::Header& page, std::uint32_t rung) {
  auto& wishes = page.wishes;
  if (wishes.answered.load(std::memory_order_relaxed) == rung) return;
  const auto wanted = wishes.wanted.exchange(0);
  if (wanted != 0 && !capture_under_way()) {
    wishes.giving.store(1);
    (void)each_pool([&](pool::DevicePool& pool) {
      if ((wanted & bit_of(pool.ordinal())) != 0) give(pool, wishes);
    });
    wishes.giving.store(0);
  }
  wishes.answered.store(rung, std::memory_order_release);
  wake_all(wishes.answered);
}

}  // namespace gmlake::hooks
