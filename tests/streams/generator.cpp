#include "streams/generator.h"

#include <algorithm>
#include <random>

#include "streams/model.h"

namespace gmlake::streams {
namespace {

constexpr unsigned kKiB = 1024;
constexpr unsigned kMiB = 1024 * kKiB;
constexpr unsigned kSizes[] = {3 * kKiB, 200 * kKiB, 2 * kMiB, 3 * kMiB, 4 * kMiB, 6 * kMiB};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {
    steps_ = 40 + draw(80);
    most_live_ = 3 + draw(10);
    for (auto n = 1 + draw(3); n != 0; --n) sizes_.push_back(kSizes[draw(std::size(kSizes))]);
    overlaps_ = draw(3) == 0;
    captures_ = draw(2) == 0;
    streams_ = 2 + draw(kStreams - kCreated - 1);
    non_blocking_ = draw(3);
    // Drawn apart, as these came later: the other programs are what they were.
    std::mt19937_64 later(seed ^ 0x686f6c64);
    holds_ = later() % 4 == 0;
    if (later() % 4 == 0) seldom_captured_ = 12;
    std::mt19937_64 random(~seed);
    ends_ = seed % 6 == 5 && !holds_;  // a context does not end while its work is held up
    const bool by_default = random() % 4 == 0;
    fills_ = seed % 4 == 0;
    if (!by_default) return;
    one_stream_ = static_cast<unsigned>(5 + random() % 25);
    default_streams_ = static_cast<unsigned>(random() % 2 * (random() % 25));
  }

  Program run() {
    begin_by_default();
    for (unsigned i = 0; i < streams_; ++i) create_stream();
    for (auto n = 2 + draw(kEvents - 2); n != 0; --n) create_event();
    for (unsigned i = 0; i < steps_; ++i) {
      if (draw(5) == 0) thread_ = draw(kThreads);
      if (ends_) end_something();
      if (holds_) hold_step();
      if (model_.capture().on && draw(seldom_captured_) == 0)
        capture_step();
      else
        step();
    }
    let_all_go();
    if (model_.capture().on) end_capture();
    finish();
    return std::move(program_);
  }

 private:
  unsigned draw(std::size_t below) { return static_cast<unsigned>(random_() % below); }

  // One operation, of the thread whose turn it is or of the one whose stream it names.
  bool emit(Operation o) { return !attempt(o); }
  std::optional<Model::Problem> attempt(Operation& o) {
    o.thread = is_per_thread(o.b) ? o.b - 1 : thread_;
    auto wrong = model_.apply(o);
    if (!wrong) program_.push_back(o);
    return wrong;
  }

  // The operation behind all that it has to come after.
  bool emit_in_order(Operation o) {
    for (int tries = 0; tries < 8; ++tries) {
      const auto wrong = attempt(o);
      if (!wrong) return true;
      if (wrong->before.empty()) return false;
      const auto& work = model_.work(wrong->before[draw(wrong->before.size())]);
      const bool gone =
          !model_.stream(work.stream).alive || model_.stream(work.stream).life != work.life;
      const bool host = o.kind == Kind::free || gone || draw(8) == 0;
      if (!(host ? host_comes_after(work.stream, gone) : comes_after(o.b, work.stream)))
        return false;
    }
    return false;
  }

  bool comes_after(unsigned stream, unsigned earlier) {
    const auto event = some_event();
    if (!outer({Kind::record, 0, event, earlier, 0})) return false;
    if (draw(6) != 0) return outer({Kind::wait, 0, event, stream, 0});
    const auto between = some_stream();
    const auto second = some_event();
    return outer({Kind::wait, 0, event, between, 0}) &&
           outer({Kind::record, 0, second, between, 0}) &&
           outer({Kind::wait, 0, second, stream, 0});
  }
  bool host_comes_after(unsigned earlier, bool gone) {
    if (gone || draw(4) == 0) return outer({Kind::sync_context, 0, 0, 0, 0});
    if (draw(2) == 0)
      return outer({draw(3) == 0 ? Kind::poll_stream : Kind::sync_stream, 0, 0, earlier, 0});
    const auto event = some_event();
    return outer({Kind::record, 0, event, earlier, 0}) &&
           outer({draw(3) == 0 ? Kind::poll_event : Kind::sync_event, 0, event, 0, 0});
  }

  // A call of order, now and then with others beside it.
  bool outer(Operation o) {
    // Held up at its end a call is the program's own, but before a record in the legacy stream the
    // library makes such calls too.
    const bool ambiguous = o.kind == Kind::record && o.b == kLegacy;
    if (!overlaps_ || ambiguous || model_.inner_left() != 0 || model_.capture().on ||
        model_.holding() || draw(3) != 0)
      return emit(o);
    const auto model = model_;
    const auto length = program_.size();
    const auto thread = thread_;
    const bool polls = o.kind == Kind::poll_event || o.kind == Kind::poll_stream;
    o.overlap = polls || draw(2) == 0 ? Overlap::before_effect : Overlap::after_effect;
    o.inner = 1 + draw(3);
    bool done = emit(o);
    if (done) thread_ = (program_.back().thread + 1 + draw(kThreads - 1)) % kThreads;
    for (int tries = 0; done && model_.inner_left() != 0; ++tries) {
      inner(o);
      done = tries < 24;
    }
    thread_ = thread;
    if (done) return true;
    model_ = model;
    program_.resize(length);
    o.overlap = Overlap::none;
    o.inner = 0;
    return emit(o);
  }
  void inner(const Operation& o) {
    const bool event = o.kind == Kind::record || o.kind == Kind::wait || o.kind == Kind::sync_event;
    const auto stream = draw(2) == 0 ? o.b : some_stream();
    switch (draw(6)) {
      case 0:
        emit({Kind::record, 0, event && draw(2) == 0 ? o.a : some_event(), some_stream(), 0});
        break;
      case 1:
        allocate();
        break;
      case 2:
        emit({Kind::wait, 0, some_event(), some_stream(), 0});
        break;
      case 3:
        use(some_block(), stream);
        break;
      default:
        if (const auto block = some_block(); block && model_.inner_left() > 1 && use(block, stream))
          emit_in_order({Kind::free_async, 0, *block, stream, 0});
        else if (block)
          emit_in_order({Kind::free_async, 0, *block, stream, 0});
    }
  }

  // With the default streams, as programs begin that know of no others: the legacy one, then the
  // threads' own too.
  void begin_by_default() {
    for (; one_stream_ + default_streams_ != 0;
         --(one_stream_ != 0 ? one_stream_ : default_streams_)) {
      if (draw(5) == 0) thread_ = draw(kThreads);
      blocks();
    }
  }

  void step() {
    switch (draw(40)) {
      case 0:
        if (live() != 0 && draw(2) == 0)
          emit({Kind::record_use, 0, *some_block(), some_stream(), 0});
        break;
      case 1:
        emit({Kind::destroy_stream, 0, 0, some_stream(), 0}) && create_stream();
        break;
      case 2:
        emit({Kind::destroy_event, 0, some_event(), 0, 0}) && create_event();
        break;
      case 3:
      case 4:
        emit({draw(2) == 0 ? Kind::query_event : Kind::query_stream, 0, some_event(), some_stream(),
              0});
        break;
      case 5:
      case 6:
        host_comes_after(some_stream(), false);
        break;
      case 7:
      case 8:
      case 9:
        outer({Kind::record, 0, some_event(), some_stream(), 0});
        break;
      case 10:
      case 11:
      case 12:
        outer({Kind::wait, 0, some_event(), some_stream(), 0});
        break;
      case 13:
      case 14:
        if (captures_ && !model_.capture().on) begin_capture();
        break;
      case 15:
      case 16:
      case 17:
        launch();
        break;
      case 18:
        if (draw(4) == 0) emit({Kind::trim, 0, 0, 0, 0});
        if (draw(4) == 0) emit({Kind::destroy_graph, 0, draw(kGraphs), 0, 0});
        break;
      default:
        blocks();
    }
  }
  void blocks() {
    const auto some = live();
    const auto choice = draw(10);
    if (some >= most_live_ || (some != 0 && choice < 3))
      release();
    else if (some == 0 || choice < 6)
      allocate();
    else
      use(some_block(), some_stream());
  }

  bool allocate() {
    unsigned slot = 0;
    while (slot < kBlocks && model_.block(slot).live) ++slot;
    if (slot == kBlocks) return false;
    const auto size = sizes_[draw(sizes_.size())];
    const auto stream = some_stream();
    const bool done = by_host() ? emit({Kind::allocate, 0, slot, 0, size})
                                : emit({Kind::allocate_async, 0, slot, stream, size});
    if (done && draw(one_stream_ != 0 ? 2 : 8) != 0 && model_.inner_left() != 1) use(slot, stream);
    return done;
  }
  bool by_host() { return (draw(6) == 0) != (one_stream_ + default_streams_ != 0); }
  bool use(std::optional<unsigned> block, unsigned stream) {
    if (!block) return false;
    const bool read = model_.block(*block).written && draw(2) == 0;
    const bool by_fills = fills_ && !read && is_per_thread(stream);
    return emit_in_order({read ? Kind::read : Kind::write, 0, *block, stream, by_fills ? 1U : 0U});
  }
  bool release() {
    const auto block = some_block();
    if (!block) return false;
    // Mostly where it was used last, with nothing in between.
    const auto& uses = model_.block(*block).uses;
    const auto stream =
        uses.empty() || draw(3) == 0 ? some_stream() : model_.work(uses.back().work).stream;
    if (by_host()) return emit_in_order({Kind::free, 0, *block, 0, 0});
    return emit_in_order({Kind::free_async, 0, *block, stream, 0});
  }
  void launch() {
    const unsigned graph = draw(kGraphs);
    if (!model_.graph(graph).made) return;
    // The event that it records is recorded elsewhere just before, and waited for just after.
    std::optional<unsigned> event;
    for (const auto& node : model_.graph(graph).nodes)
      if (node.kind == Kind::record) event = node.a;
    if (event) outer({Kind::record, 0, *event, some_stream(), 0});
    emit_in_order({Kind::launch, 0, graph, some_stream(), 0});
    if (event) outer({Kind::wait, 0, *event, some_stream(), 0});
  }

  bool begin_capture() {
    unsigned graph = 0;
    while (graph < kGraphs && model_.graph(graph).made) ++graph;
    if (graph == kGraphs) {
      emit({Kind::destroy_graph, 0, draw(kGraphs), 0, 0});
      return false;
    }
    const auto mode = draw(3);
    left_in_capture_ = 2 + draw(8);
    return emit({Kind::begin_capture, 0, graph, some_stream(), mode});
  }
  void capture_step() {
    if (left_in_capture_-- == 0) return end_capture();
    std::vector<unsigned> streams;
    for (unsigned s = 0; s < kStreams; ++s)
      if (model_.stream(s).capturing) streams.push_back(s);
    const auto stream = streams[draw(streams.size())];
    switch (draw(6)) {
      case 0: {  // another stream joins
        const auto event = some_event();
        emit({Kind::record, 0, event, stream, 0}) && emit({Kind::wait, 0, event, some_stream(), 0});
        break;
      }
      case 1:
        emit({Kind::record, 0, some_event(), stream, 1});
        break;
      case 2:
        memory_of_graph(stream);
        break;
      default:
        use(some_block(), stream);
    }
  }
  bool memory_of_graph(unsigned stream) {
    unsigned slot = 0;
    while (slot < kBlocks && model_.block(slot).live) ++slot;
    if (slot == kBlocks) return false;
    const auto size = sizes_[draw(sizes_.size())];
    return emit({Kind::allocate_async, 0, slot, stream, size}) &&
           emit({Kind::write, 0, slot, stream, 0}) && emit({Kind::read, 0, slot, stream, 0}) &&
           emit({Kind::free_async, 0, slot, stream, 0});
  }
  void end_capture() {
    const auto capture = model_.capture();
    for (unsigned block = 0; block < kBlocks; ++block)
      if (const auto& its = model_.block(block); its.live && its.captured)
        emit({Kind::free_async, 0, block, *its.captured, 0});
    for (unsigned s = 0; s < kStreams; ++s) {
      if (!model_.stream(s).capturing || s == capture.stream) continue;
      const auto event = some_event();
      emit({Kind::record, 0, event, s, 0}) && emit({Kind::wait, 0, event, capture.stream, 0});
    }
    if (model_.graph(capture.graph).nodes.empty()) memory_of_graph(capture.stream);
    const auto thread = thread_;
    thread_ = capture.thread;
    emit({Kind::end_capture, 0, capture.graph, capture.stream, 0});
    thread_ = thread;
  }

  // Host functions that wait begin, and others go on.
  void hold_step() {
    const unsigned slot = draw(kHolds);
    if (!model_.hold(slot) && draw(5) == 0)
      emit({Kind::hold, 0, slot, some_stream(), 0});
    else if (model_.hold(slot) && draw(8) == 0)
      emit({Kind::let_go, 0, slot, 0, 0});
  }
  void let_all_go() {
    for (unsigned slot = 0; slot < kHolds; ++slot)
      if (model_.hold(slot)) emit({Kind::let_go, 0, slot, 0, 0});
  }

  void finish() {
    emit({Kind::sync_context, 0, 0, 0, 0});
    for (unsigned block = 0; block < kBlocks; ++block) {
      if (model_.block(block).written) emit_in_order({Kind::read, 0, block, some_stream(), 0});
      if (!model_.block(block).live) continue;
      if (draw(2) == 0)
        emit_in_order({Kind::free_async, 0, block, some_stream(), 0});
      else
        emit_in_order({Kind::free, 0, block, 0, 0});
    }
    emit({Kind::sync_context, 0, 0, 0, 0});
  }

  // A stream that the driver fails to destroy, or the context with all that is in it.
  void end_something() {
    if (draw(12) == 0) fail_to_end(some_stream());
    if (draw(24) != 0 || !emit({Kind::renew_context, 0, 0, 0, draw(2)})) return;
    for (unsigned i = 0; i < streams_; ++i) create_stream();
    for (auto n = 2 + draw(kEvents - 2); n != 0; --n) create_event();
  }

  // The stream goes on. Mostly with work whose memory is freed right behind it.
  void fail_to_end(unsigned stream) {
    const auto block = some_block();
    if (emit({Kind::destroy_stream, 0, 0, stream, 1}) && block && draw(4) != 0 &&
        emit_in_order({Kind::write, 0, *block, stream, 0}))
      emit({Kind::free, 0, *block, 0, 0});
  }

  bool create_stream() {
    unsigned slot = kCreated;
    while (slot < kStreams && model_.stream(slot).alive) ++slot;
    const bool non_blocking = non_blocking_ == 0 ? draw(2) == 0 : non_blocking_ == 1;
    return slot != kStreams && emit({Kind::create_stream, 0, 0, slot, non_blocking ? 1U : 0U});
  }
  bool create_event() {
    unsigned slot = 0;
    while (slot < kEvents && model_.event(slot).alive) ++slot;
    return slot != kEvents && emit({Kind::create_event, 0, slot, 0, 0});
  }

  // One that the thread may name; few programs use all of them much.
  unsigned some_stream() {
    if (one_stream_ != 0) return kLegacy;
    for (int tries = 0; tries < 32; ++tries) {
      const bool by_default = draw(4) == 0 || default_streams_ != 0;
      const auto slot = by_default ? draw(kCreated) : kCreated + draw(streams_);
      const auto other =
          is_per_thread(slot) && slot - 1 != thread_ && (model_.inner_left() != 0 || draw(2) == 0);
      if (model_.stream(slot).alive && !other) return slot;
    }
    return kLegacy;
  }
  unsigned some_event() {
    for (int tries = 0; tries < 16; ++tries)
      if (const auto slot = draw(kEvents); model_.event(slot).alive) return slot;
    return 0;
  }
  unsigned live() const {
    unsigned count = 0;
    for (unsigned block = 0; block < kBlocks; ++block) count += model_.block(block).live ? 1 : 0;
    return count;
  }
  std::optional<unsigned> some_block() {
    const auto count = live();
    if (count == 0) return {};
    auto left = draw(count);
    for (unsigned block = 0;; ++block)
      if (model_.block(block).live && left-- == 0) return block;
  }

  std::mt19937_64 random_;
  Model model_;
  Program program_;
  unsigned thread_ = 0;
  unsigned steps_ = 0;
  unsigned most_live_ = 0;
  std::vector<unsigned> sizes_;
  bool overlaps_ = false;
  bool captures_ = false;
  bool fills_ = false;  // on the threads' own streams, in place of kernels
  bool holds_ = false;
  unsigned seldom_captured_ = 2;  // of so many steps beside a capture one is in it
  unsigned streams_ = 0;
  unsigned non_blocking_ = 0;  // 0: some, 1: all, 2: none
  bool ends_ = false;          // contexts, and streams that do not
  unsigned left_in_capture_ = 0;
  unsigned one_stream_ = 0;       // steps before there is another than the legacy one
  unsigned default_streams_ = 0;  // and before any is created
};

}  // namespace

Program generate(std::uint64_t seed) {
  return Generator(seed).run();
}

}  // namespace gmlake::streams
