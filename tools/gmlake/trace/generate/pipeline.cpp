// The rounds; see pipeline.h.
#include "trace/generate/pipeline.h"

#include <vector>

#include "trace/generate/framework.h"

namespace gmlake::trace::generate {
namespace {

// A place between a stage and the next, with one item's hidden states and positions in it.
struct Slot {
  struct Block {
    std::uint64_t number = 0;
    Bytes bytes = 0;
  };
  Block states, positions;
};

class Pipeline {
 public:
  Pipeline(const Workload& workload, Recorder& recorder)
      : w_(workload),
        recorder_(recorder),
        random_(workload.seed),
        slots_(workload.streams * workload.depth) {
    for (std::uint64_t i = 0; i < w_.iterations; ++i) lengths_.push_back(next_length(w_, random_));
  }
  void run();

 private:
  static std::uint64_t stream_of(std::uint64_t stage) { return Framework::side_stream(stage); }
  std::size_t slot_of(std::uint64_t stage, std::uint64_t item) const {
    return stage * w_.depth + item % w_.depth;
  }
  // CUDA events, named by number.
  std::uint64_t filled(std::uint64_t stage, std::uint64_t item) const {
    return 2 * slot_of(stage, item) + 1;
  }
  std::uint64_t drained(std::uint64_t stage, std::uint64_t item) const {
    return 2 * slot_of(stage, item) + 2;
  }
  std::uint64_t done(std::uint64_t stage) const { return 2 * slots_.size() + 1 + stage; }
  bool is_last(std::uint64_t stage) const { return stage + 1 == w_.streams; }

  Slot::Block allocate(Bytes bytes, std::uint64_t stage) {
    return {recorder_.allocated(bytes, stream_of(stage)), bytes};
  }
  void fill(std::uint64_t stage, std::uint64_t item);
  void drain(std::uint64_t stage, std::uint64_t item, std::uint64_t by);
  void join_and_fork();
  template <typename Each>
  void each_stage(std::uint64_t round, Each visit) const;

  const Workload& w_;
  Recorder& recorder_;
  Random random_;
  std::vector<std::uint64_t> lengths_;  // by item
  std::vector<Slot> slots_;
};

// Every other stage widens: what it hands on is as wide as the inside of the feed-forward network.
void Pipeline::fill(std::uint64_t stage, std::uint64_t item) {
  const auto stream = stream_of(stage);
  if (stage != 0) recorder_.ordered(Kind::wait, filled(stage - 1, item), stream);
  if (!is_last(stage) && item >= w_.depth)
    recorder_.ordered(Kind::wait, drained(stage, item), stream);
  const auto rows = w_.batch * lengths_[item];
  const auto width = stage % 2 == 0 ? w_.shape.hidden : w_.shape.ffn;
  auto& slot = slots_[slot_of(stage, item)];
  slot.states = allocate(rows * width * w_.element, stage);
  slot.positions = allocate(rows * Framework::kIndex, stage);
  if (!is_last(stage)) recorder_.ordered(Kind::record, filled(stage, item), stream);
}

void Pipeline::drain(std::uint64_t stage, std::uint64_t item, std::uint64_t by) {
  const auto& slot = slots_[slot_of(stage, item)];
  for (const auto& block : {slot.states, slot.positions})
    recorder_.freed(block.number, block.bytes, stream_of(by));
  if (by != stage) recorder_.ordered(Kind::record, drained(stage, item), stream_of(by));
}

// The first stage's stream waits for all others, and they for it.
void Pipeline::join_and_fork() {
  for (std::uint64_t stage = 1; stage < w_.streams; ++stage) {
    recorder_.ordered(Kind::record, done(stage), stream_of(stage));
    recorder_.ordered(Kind::wait, done(stage), stream_of(0));
  }
  recorder_.ordered(Kind::record, done(0), stream_of(0));
  for (std::uint64_t stage = 1; stage < w_.streams; ++stage)
    recorder_.ordered(Kind::wait, done(0), stream_of(stage));
}

// The stages that have an item in this round, and it. A slot is filled one round and drained
// depth - 1 rounds later.
template <typename Each>
void Pipeline::each_stage(std::uint64_t round, Each visit) const {
  for (std::uint64_t stage = 0; stage < w_.streams; ++stage) {
    const auto behind = stage * (w_.depth - 1);
    if (round >= behind && round - behind < w_.iterations) visit(stage, round - behind);
  }
}

void Pipeline::run() {
  const auto rounds = w_.iterations + (w_.streams - 1) * (w_.depth - 1);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    each_stage(round, [&](std::uint64_t stage, std::uint64_t item) { fill(stage, item); });
    each_stage(round, [&](std::uint64_t stage, std::uint64_t item) {
      if (stage != 0) drain(stage - 1, item, stage);
      if (is_last(stage)) drain(stage, item, stage);
    });
    if (w_.wait_for == WaitFor::round) join_and_fork();
  }
}

}  // namespace

void pipeline(const Workload& workload, CsvWriter& writer) {
  Recorder recorder(writer);
  Pipeline(workload, recorder).run();
}

}  // namespace gmlake::trace::generate
