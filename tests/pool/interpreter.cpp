#include "pool/interpreter.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "pool/device_pool.h"

namespace gmlake::testing {
namespace {

constexpr int kInjected = 719;
constexpr int kOutOfMemory = 2;
void* const kContext = reinterpret_cast<void*>(0x100);

config::Config config_of(const Settings& settings) {
  config::Config config;
  config.pool_max_bytes = settings.limit;
  config.stitch_max_windows = settings.windows;
  config.stitch_enabled = settings.stitch;
  config.pool_largest_chunk = settings.largest;
  config.stitch_max_pieces = settings.pieces;
  config.stitch_time_budget = settings.unhurried ? 1 : 0;
  config.stitch_worth = settings.worth;
  config.streams_single_stream = settings.single;
  config.streams_lend_after = settings.loans ? 0 : 1'000'000;
  config.streams_reuse_completed = settings.reuse_completed;
  config.streams_ask_again = 0;  // a program is to run the same each time
  config.streams_free =
      settings.synchronous ? config::FreePolicy::synchronous : config::FreePolicy::deferred;
  return config;
}

class Interpreter {
 public:
  Interpreter(const Settings& settings, const Injection& injection, Outcome& outcome)
      : settings_(settings),
        config_(config_of(settings)),
        to_the_end_(injection.to_the_end),
        outcome_(outcome),
        device_(settings.memory) {
    device_.fail_code = kInjected;
    device_.fail_call = injection.function;
    device_.fail_after = injection.after;
    device_.fail_times = injection.times;
    device_.fail_too = injection.also;
    device_.has_context_events = settings.context_events;
    device_.only_legacy = settings.single;
    device_.unmapping = [this](driver::Address at, Bytes size) { unmapped(at, size); };
    device_.releasing = [this](Bytes start, Bytes size) { released(start, size); };
    pool_.emplace(0, device_, config_);
  }

  void step(const Operation& operation) {
    const auto stream = 1 + (operation.a + kStreams - 1) % kStreams;
    auto* const handle = origin(stream).stream;
    switch (operation.kind) {
      case Kind::allocate:
        allocate(std::max<Bytes>(operation.a, 1), operation.b % (kStreams + 1));
        break;
      case Kind::free:
        if (!live_.empty()) release(operation.a % live_.size(), operation.b % (kStreams + 1));
        break;
      case Kind::submit:
        pool_->before_work(origin(stream));
        ++device_.submitted[handle];
        break;
      case Kind::complete:
        device_.completed[handle] =
            std::min(device_.submitted[handle], device_.completed[handle] + operation.b);
        break;
      case Kind::synchronise:
        device_.finish_all();
        break;
      case Kind::retire:
        pool_->retire_stream(origin(stream));
        ++generation_[stream];
        break;
      case Kind::forget:
        forget();
        break;
      case Kind::fault:
        device_.fail_call = kFunctions[operation.a / 64 % kFunctionCount];
        device_.fail_after = device_.calls[device_.fail_call] + operation.a % 64;
        device_.fail_times = operation.b == 0 ? ~0ULL : operation.b;
        break;
      case Kind::heal:
        device_.fail_call.clear();
        break;
      case Kind::trim:
        trim(operation.a);
        break;
      case Kind::use:
        if (!live_.empty()) use(live_[operation.a % live_.size()], operation.b % (kStreams + 1));
        break;
      case Kind::record:
        record(operation.a % kEvents, 1 + (operation.b + kStreams - 1) % kStreams);
        break;
      case Kind::await:
        await(operation.a % kEvents, 1 + (operation.b + kStreams - 1) % kStreams);
        break;
      case Kind::wait:
        if (operation.b % 2 == 0)
          wait_for_event(operation.a % kEvents);
        else
          wait_for_stream(stream);
        break;
      case Kind::second:
        second_stream();
        break;
      case Kind::open:
        if (!live_.empty()) open(live_[operation.a % live_.size()], device_of(operation.b));
        break;
      case Kind::open_all:
        open_all(device_of(operation.a), operation.b % 2 != 0);
        break;
      default:
        break;
    }
    balance();
  }

  void finish() {
    if (!to_the_end_) {
      device_.fail_call.clear();
      device_.fail_too.clear();
      count_calls();
    }
    while (!live_.empty() && !outcome_.failed) release(live_.size() - 1, 0);
    balance();
    device_.finish_all();
    if (!to_the_end_) recover();
    const auto counters = pool_->report().counters;
    outcome_.stitches += counters.stitches;
    outcome_.windows += counters.hits_window;
    outcome_.crossings += counters.reuse_completed;
    outcome_.proofs += counters.reuse_proved;
    outcome_.inserted_waits += counters.ladder_inserted_waits;
    outcome_.cuts += counters.cuts;
    outcome_.loans += counters.loans;
    pool_.reset();  // the device's end aborts if anything of it is left
    if (to_the_end_) count_calls();
    outcome_.faults += device_.failures;
  }

 private:
  struct Block {
    driver::Address at;
    Bytes size;
    std::vector<FakeDevice::Range> physical;
    bool from_stream;
    std::set<void*> used_on;     // by record
    bool used_anywhere = false;  // also by record
    // Work on these bytes that its stream comes after and that was not over when it was given out:
    // no access of the block's, which a free without a stream takes to be complete.
    FakeDevice::Points before = {};
  };
  // Who freed a physical range, and what each stream had been given by then.
  struct Freed {
    Bytes end;
    std::uint64_t stream;  // its id; 0: the host
    std::map<void*, std::uint64_t> behind;
  };

  void expect(bool holds, const char* what) {
    if (holds || outcome_.failed) return;
    outcome_.failed = true;
    std::snprintf(outcome_.what, sizeof outcome_.what, "%s", what);
  }

  std::uint64_t id_of(std::uint64_t stream) const {
    return stream == 0 ? 0 : generation_[stream] * 16 + stream;
  }
  pool::Origin origin(std::uint64_t stream) const {
    return {kContext, id_of(stream),
            stream == 0 ? nullptr : reinterpret_cast<void*>(0x1000 + id_of(stream))};
  }

  void count_calls() {
    for (std::size_t i = 0; i < kFunctionCount; ++i)
      outcome_.calls[i] = device_.calls[kFunctions[i]];
    require(device_.places.size() <= std::size(outcome_.places), "more places than were foreseen");
    auto* out = outcome_.places;
    for (const auto& [from, place] : device_.places) *out++ = {place, from};
  }

  // Nothing is live, nothing pending, no call fails.
  void recover() {
    trim(0);  // without stitching, memory may be there and of no use
    Bytes most = settings_.memory - device_.stuck();
    if (settings_.limit != 0) most = std::min(most, settings_.limit);
    const Bytes size = round_up(most / 2, MiB);
    for (int i = 0; i < 2 && size != 0 && !outcome_.failed; ++i) {
      allocate(size, 1);
      expect(live_.size() == 1, "no memory in an empty pool");
      if (!live_.empty()) release(0, 1);
      trim(0);
      // Without events for a context the pool does not know that its host's frees are over.
      if (!settings_.context_events) continue;
      expect(device_.physical() == device_.stuck(), "free memory that is not given back");
      expect(device_.mapping_count() == 0, "a mapping that nobody uses");
      expect(pool_->report().counters.windows == 0, "a window without memory");
    }
    balance();
  }

  // The program's events, which are no calls of the pool's.
  static void* event(std::uint64_t number) { return reinterpret_cast<void*>(0x10 + number); }
  void record(std::uint64_t number, std::uint64_t stream) {
    const bool seen = pool_->recording(event(number), origin(stream), ++recordings_);
    events_[number] = device_.given(origin(stream).stream);
    if (seen) pool_->recorded(event(number), recordings_, true);
  }
  void await(std::uint64_t number, std::uint64_t stream) {
    pool_->before_work(origin(stream));
    const auto recording = pool_->recording_of(event(number));
    device_.stream_waits(origin(stream).stream, events_[number]);
    if (recording != 0) pool_->waits(origin(stream), event(number), recording);
  }
  void wait_for_event(std::uint64_t number) {
    const auto recording = pool_->recording_of(event(number));
    device_.finish(events_[number]);
    if (recording != 0) pool_->happened(event(number), recording);
  }
  void wait_for_stream(std::uint64_t stream) {
    const auto given = pool_->given(origin(stream));
    device_.finish(device_.given(origin(stream).stream));
    pool_->happened(given);
  }

  // What the host was given out of order is in every stream's from now on.
  void second_stream() {
    const auto failures = device_.failures;
    device_.only_legacy = single_ = false;
    outcome_.ends += pool_->end_one_stream(kContext) ? 1 : 0;
    if (device_.failures > failures) return;
    for (const auto& block : live_)
      for (const auto& [on, point] : block.before)
        expect(block.from_stream || device_.completed[on] >= point,
               "a second stream beside work on bytes that were given out again");
  }

  void trim(Bytes keep) {
    const Bytes before = device_.physical() - device_.stuck();
    const Bytes given_back = pool_->trim(keep);
    expect(before - given_back == device_.physical() - device_.stuck(),
           "trim gave back other bytes than it said");
    ++outcome_.trims;
  }

  // What is unmapped is in nobody's hands, and no work uses it any more.
  void unmapped(driver::Address at, Bytes size) {
    for (const auto& block : live_)
      expect(block.at + block.size <= at || at + size <= block.at, "a live block unmapped");
    // In the home range the bytes may have been used in windows since: see released().
    if (!device_.in_first_reservation(at))
      expect(over(used_, at, size), "unmapped before the work that used it was over");
    forget_freed(used_, at, size);
  }
  void released(Bytes start, Bytes size) {
    expect(over(freed_, start, size), "released before the work that used it was over");
    forget_freed(freed_, start, size);
  }
  bool over(const std::map<Bytes, Freed>& freed, Bytes start, Bytes size) {
    auto at = freed.lower_bound(start);
    if (at != freed.begin() && std::prev(at)->second.end > start) --at;
    for (; at != freed.end() && at->first < start + size; ++at)
      for (const auto& [on, point] : at->second.behind)
        if (device_.completed[on] < point) return false;
    return true;
  }

  static Bytes unit_of(Bytes size, bool of_stream) {
    return !of_stream && size >= MiB ? 64 * KiB : memory::kAlignment;
  }
  // Any address inside is the block's.
  void ask(const Block& block) {
    const auto seen = pool_->view(block.at + block.size / 2);
    expect(seen && seen->start == block.at && seen->size == block.size &&
               seen->of_stream == block.from_stream,
           "a block that answers for another");
    for (int device = 1; device <= kPeers; ++device)
      expect(!pool_->reaches_all(device) || device_.reaches(device, block.at, block.size),
             "a block that a device does not reach which may reach all");
  }

  static constexpr int kPeers = 2;
  static int device_of(std::uint64_t number) { return 1 + static_cast<int>(number % kPeers); }
  void open(const Block& block, int device) {
    const auto seen = pool_->view(block.at);
    expect(seen.has_value(), "a live block that is not known");
    if (seen && pool_->open_to(device, *seen))
      expect(device_.reaches(device, block.at, block.size), "a block that is not open");
  }
  void open_all(int device, bool wanted) {
    if (!pool_->open_all_to(device, [=] { return wanted; })) return;
    expect(pool_->reaches_all(device) == wanted, "access that is not what was wanted");
    for (const auto& block : live_)
      expect(!wanted || device_.reaches(device, block.at, block.size),
             "a block that a device does not reach");
  }

  void allocate(Bytes size, std::uint64_t stream) {
    const auto failures = device_.failures, unmaps = device_.faulted["cuMemUnmap"];
    device_.memory_error.reset();
    const auto at = pool_->allocate(size, origin(stream));
    if (!at) {
      const int code = at.error().kind == ErrorKind::limit ? kOutOfMemory : at.error().code;
      expect(code == kOutOfMemory || code == kInjected, "an error that the driver did not give");
      expect(code != kInjected || device_.failures > failures, "an error of an earlier request");
      // The first there was; what could not be unmapped earlier may have failed again before it.
      expect(code == device_.memory_error.value_or(code) ||
                 (code == kInjected && device_.faulted["cuMemUnmap"] > unmaps),
             "the driver's error did not reach the program");
      (void)pool_->shortage(size);  // as the program's log asks for it
      return;
    }
    // Rounded as the pool rounds: what lies between belongs to the block too.
    const Bytes unit = unit_of(size, stream != 0);
    expect(*at % unit == 0, "a block that is not aligned");
    Block block{*at, size, device_.physical_of(*at, round_up(size, unit)), stream != 0, {}};
    ask(block);
    for (const auto& range : block.physical) {
      const auto next = taken_.lower_bound(range.start);
      expect((next == taken_.end() || next->first >= range.start + range.size) &&
                 (next == taken_.begin() || std::prev(next)->second <= range.start),
             "bytes in two live blocks");
      taken_[range.start] = range.start + range.size;
      check_order(range, id_of(stream), block.before);
    }
    live_.push_back(std::move(block));
  }

  // Later work of a stream, by its own order and its waits.
  bool comes_after(std::uint64_t stream, void* on, std::uint64_t point) {
    if (stream == 0) return false;
    auto* const handle = reinterpret_cast<void*>(0x1000 + stream);
    return !settings_.planted && (on == handle || device_.after[handle][on] >= point);
  }

  void check_order(const FakeDevice::Range& range, std::uint64_t stream,
                   FakeDevice::Points& before) {
    auto at = freed_.lower_bound(range.start);
    if (at != freed_.begin() && std::prev(at)->second.end > range.start) --at;
    for (; at != freed_.end() && at->first < range.start + range.size; ++at) {
      for (const auto& [on, point] : at->second.behind)
        if (device_.completed[on] < point) before[on] = std::max(before[on], point);
      // The planted fault: the model takes a stream's own order for none.
      const bool in_order = stream != 0 || single_;
      if (!settings_.planted && in_order && at->second.stream == stream) continue;
      for (const auto& [on, point] : at->second.behind)
        expect(device_.completed[on] >= point || comes_after(stream, on, point),
               "bytes given out before the work that used them is ordered before");
    }
  }

  static void forget_freed(std::map<Bytes, Freed>& freed, Bytes start, Bytes size) {
    const Bytes end = start + size;
    auto at = freed.lower_bound(start);
    if (at != freed.begin() && std::prev(at)->second.end > start) {
      const auto before = std::prev(at);
      const auto tail = before->second;
      before->second.end = start;
      if (tail.end > end) freed.emplace(end, tail);
    }
    while (at != freed.end() && at->first < end) {
      if (at->second.end > end) freed.emplace(end, at->second);
      at = freed.erase(at);
    }
  }

  Block take_out(std::size_t index, std::uint64_t stream, bool settled) {
    std::swap(live_[index], live_.back());
    Block block = std::move(live_.back());
    live_.pop_back();
    std::map<void*, std::uint64_t> behind;
    block.used_on.erase(origin(stream).stream);
    const bool used_beside = block.used_anywhere || !block.used_on.empty();
    if (block.used_anywhere) {
      behind = device_.submitted;
    } else {
      for (auto* on : block.used_on) behind[on] = device_.submitted[on];
    }
    if (stream != 0) {
      // The program's duty: it has ordered its uses before the free on this stream.
      auto* const on = origin(stream).stream;
      behind = device_.given(on);
    } else if (!settled && !block.from_stream) {
      behind = device_.submitted;
    } else if (!settled) {
      behind = block.before;
    }
    const Bytes size = round_up(block.size, unit_of(block.size, block.from_stream));
    expect(device_.physical_of(block.at, size) == block.physical,
           "other memory behind a live block than at first");
    for (const auto& range : block.physical) {
      taken_.erase(range.start);
      forget_freed(freed_, range.start, range.size);
      freed_[range.start] = {range.start + range.size, used_beside ? 0 : id_of(stream), behind};
    }
    forget_freed(used_, block.at, size);
    used_[block.at] = {block.at + size, id_of(stream), std::move(behind)};
    return block;
  }

  void use(Block& block, std::uint64_t stream) {
    auto* const on = origin(stream).stream;
    if (stream != 0) {
      block.used_on.insert(on);
      pool_->before_work(origin(stream));
      ++device_.submitted[on];
    }
    block.used_anywhere |= stream == 0;
    expect(pool_->use_beside(block.at, origin(stream)), "a live block that the pool does not know");
  }

  void release(std::size_t index, std::uint64_t stream) {
    const auto block = take_out(index, stream, false);
    expect(pool_->free(block.at, origin(stream)), "a live block that the pool does not know");
  }

  void forget() {
    device_.forget_context(kContext);
    pool_->forget_context(kContext);
    for (std::size_t i = live_.size(); i-- != 0;)
      if (!live_[i].from_stream) take_out(i, 0, true);
    for (auto& generation : generation_) ++generation;
  }

  void balance() {
    pool_->check();
    const auto c = pool_->report().counters;
    Bytes bytes = 0;
    for (const auto& block : live_) bytes += block.size;
    expect(c.live_blocks == live_.size() && c.allocations - c.frees == live_.size(),
           "live blocks miscounted");
    expect(c.live_bytes == bytes, "live bytes miscounted");
    expect(c.physical_bytes == device_.physical() - device_.stuck(), "physical bytes miscounted");
    expect(c.window_bytes == device_.mapped_behind_first(), "bytes of windows miscounted");
    expect(settings_.limit == 0 || c.physical_bytes <= settings_.limit, "past the limit");
    expect(c.hits_exact + c.hits_window + c.hits_split + c.hits_small + c.stitches + c.growths ==
               c.allocations,
           "the ways do not add up to the allocations");
  }

  const Settings settings_;
  const config::Config config_;
  const bool to_the_end_;
  bool single_ = settings_.single;  // the host's allocations come after its frees
  Outcome& outcome_;
  std::uint64_t generation_[kStreams + 1] = {};
  std::vector<Block> live_;
  FakeDevice::Points events_[kEvents];  // what they stand for
  stream::Recording recordings_ = 0;
  std::map<Bytes, Bytes> taken_;  // physical ranges of live blocks
  std::map<Bytes, Freed> freed_;  // of freed ones
  std::map<Bytes, Freed> used_;   // the same by address: the last use of what is mapped there
  FakeDevice device_;             // tells of its unmapping: goes before the books
  std::optional<pool::DevicePool> pool_;
};

}  // namespace

void run_program(const Program& program, Outcome& outcome, const Injection& injection) {
  Interpreter interpreter(program.settings, injection, outcome);
  for (outcome.step = 0; outcome.step < program.operations.size(); ++outcome.step) {
    interpreter.step(program.operations[outcome.step]);
    if (outcome.failed) return;
  }
  interpreter.finish();
}

std::vector<Outcome> try_programs(const Program& program, const std::vector<Injection>& each) {
  const auto bytes = each.size() * sizeof(Outcome);
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "no memory to share with a child");
  auto* const shared = static_cast<Outcome*>(memory);
  std::uninitialized_default_construct_n(shared, each.size());
  for (std::size_t next = 0; next < each.size(); ++next) {
    const auto child = fork();
    require(child >= 0, "no child");
    if (child == 0) {
      for (; next < each.size(); ++next) {
        alarm(60);  // a program that hangs has failed
        run_program(program, shared[next], each[next]);
        shared[next].over = true;
      }
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    while (next < each.size() && shared[next].over) ++next;
    if (next == each.size() || shared[next].failed) continue;
    shared[next].failed = true;
    std::snprintf(shared[next].what, sizeof shared[next].what, "ended with signal %d",
                  WTERMSIG(status));
  }
  std::vector<Outcome> outcomes(shared, shared + each.size());
  munmap(memory, bytes);
  return outcomes;
}

Outcome try_program(const Program& program, const Injection& injection) {
  return try_programs(program, {injection}).front();
}

namespace {

// Leaves out parts of the list, large ones first.
void shorten(Program& program) {
  for (std::size_t part = std::max<std::size_t>(program.operations.size() / 2, 1); part != 0;
       part /= 2)
    for (std::size_t at = program.operations.size(); at != 0;) {
      at = std::min(at, program.operations.size());
      const auto from = at - std::min(at, part);
      auto shorter = program;
      shorter.operations.erase(shorter.operations.begin() + static_cast<std::ptrdiff_t>(from),
                               shorter.operations.begin() + static_cast<std::ptrdiff_t>(at));
      if (try_program(shorter).failed) program = std::move(shorter);
      at = from;
    }
}

void simplify_numbers(Program& program) {
  for (auto& operation : program.operations)
    for (auto* number : {&operation.a, &operation.b}) {
      const auto before = *number;
      for (const Bytes simple : {Bytes{0}, Bytes{1}, Bytes{512}, 2 * MiB,
                                 before / (2 * MiB) * 2 * MiB, before / MiB * MiB}) {
        if (simple >= before) continue;
        *number = simple;
        if (try_program(program).failed) break;
        *number = before;
      }
    }
}

}  // namespace

Program shrink(Program program) {
  const auto outcome = try_program(program);
  if (outcome.step + 1 < program.operations.size()) program.operations.resize(outcome.step + 1);
  for (std::string before; before != to_text(program);) {
    before = to_text(program);
    shorten(program);
    simplify_numbers(program);
  }
  return program;
}

}  // namespace gmlake::testing
