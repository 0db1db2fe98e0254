// Generated traces: the same bytes for the same parameters, no loose ends, and memory that fits the
// model.
#include <gmock/gmock.h>

#include "temporary_file.h"
#include "trace/csv_writer.h"
#include "trace/generate/generate.h"
#include "trace/info.h"
#include "trace/reader.h"

namespace gmlake::trace::generate {
namespace {

Workload tiny() {
  Workload workload;
  workload.shape = *preset("tiny");
  workload.sequence = 128;
  workload.batch = 2;
  workload.iterations = 3;
  return workload;
}

std::string bytes_of(const Workload& workload) {
  EXPECT_EQ(problem(workload), std::nullopt);
  const TemporaryFile file(".csv");
  CsvWriter writer;
  EXPECT_TRUE(writer.open(file.path()));
  generate(workload, writer);
  EXPECT_TRUE(writer.close());
  return file.bytes();
}

Trace trace_of(const Workload& workload) {
  auto read = read_csv(bytes_of(workload), {});
  EXPECT_TRUE(read) << read.error();
  return std::move(*read);
}

// Elements of a GPT style model: embeddings, and per layer four norms' vectors, 12 h^2 and the
// biases.
std::uint64_t parameters(const Shape& s) {
  const auto h = s.hidden, f = s.ffn;
  return (s.vocabulary + s.context) * h +
         s.layers * (4 * h + 3 * h * h + 3 * h + h * h + h + 2 * h * f + f + h) + 2 * h;
}

// One workload for every branch of the generator.
std::vector<Workload> all_kinds() {
  std::vector<Workload> all;
  const auto variant = [&](auto change) {
    auto workload = tiny();
    change(workload);
    all.push_back(workload);
  };
  variant([](Workload&) {});
  variant([](Workload& w) { w.lengths = Lengths::random; });
  variant([](Workload& w) { w.lengths = Lengths::bucketed, w.gradients = AfterStep::kept; });
  variant([](Workload& w) { w.recompute = Recompute::full, w.element = 2; });
  variant([](Workload& w) { w.recompute = Recompute::selective, w.clip_gradients = true; });
  variant([](Workload& w) {
    w.attention = Attention::fused, w.optimizer = Optimizer::sgd, w.element = 2;
  });
  variant([](Workload& w) { w.lora_rank = 8, w.recompute = Recompute::full; });
  variant([](Workload& w) { w.lora_rank = 8, w.optimizer = Optimizer::adam; });
  variant([](Workload& w) { w.offload = Offload::activations, w.batch = 16; });
  variant([](Workload& w) { w.offload = Offload::optimizer, w.streams = 3; });
  variant([](Workload& w) { w.shape.experts = 4, w.foreach_optimizer = true; });
  variant([](Workload& w) { w.shape.experts = 4, w.recompute = Recompute::full; });
  variant([](Workload& w) { w.shape.gated = true, w.shape.kv_heads = 2, w.element = 2; });
  variant([](Workload& w) { w.shape.gated = true, w.attention = Attention::fused; });
  variant([](Workload& w) { w.mode = Mode::inference, w.streams = 2; });
  variant([](Workload& w) {
    w.mode = Mode::inference, w.kv_cache = KvCache::growing, w.iterations = 40;
  });
  variant([](Workload& w) {
    w.mode = Mode::inference, w.kv_cache = KvCache::paged, w.iterations = 40;
  });
  variant([](Workload& w) { w.mode = Mode::pipeline, w.streams = 3; });
  variant([](Workload& w) {
    w.mode = Mode::pipeline, w.streams = 4, w.depth = 3, w.lengths = Lengths::random;
  });
  return all;
}

TEST(Generate, SameParametersSameBytes) {
  for (const auto& workload : all_kinds()) EXPECT_EQ(bytes_of(workload), bytes_of(workload));
  auto random = tiny();
  random.lengths = Lengths::random;
  auto other = random;
  other.seed = 2;
  EXPECT_NE(bytes_of(random), bytes_of(other));
}

TEST(Generate, EveryBlockIsFreedOnce) {
  for (const auto& workload : all_kinds()) {
    const auto trace = trace_of(workload);
    const auto info = summarize(trace);
    EXPECT_EQ(trace.unknown_frees, 0U);
    EXPECT_EQ(info.allocations, info.frees);
    EXPECT_EQ(info.live_at_end, 0U);
  }
}

TEST(Generate, KeepLeavesTheModel) {
  auto workload = tiny();
  workload.keep = true;
  const auto info = summarize(trace_of(workload));
  EXPECT_GE(info.live_at_end, parameters(workload.shape) * 4 * 3);  // with two moments each
  EXPECT_LT(info.live_at_end, info.peak_live);
}

TEST(Generate, PeakFollowsFromTheModel) {
  auto workload = tiny();
  const auto state = parameters(workload.shape) * 4;
  const auto adam = summarize(trace_of(workload)).peak_live;
  EXPECT_GE(adam, 4 * state);  // parameters, gradients, two moments
  workload.optimizer = Optimizer::sgd;
  const auto sgd = summarize(trace_of(workload)).peak_live;
  EXPECT_GE(sgd, 3 * state);
  EXPECT_LT(sgd, adam);
  workload.mode = Mode::inference;
  const auto inference = summarize(trace_of(workload)).peak_live;
  EXPECT_GE(inference, state);
  constexpr Bytes kWorkspace = 8'519'680;  // of the matrix library
  EXPECT_LT(inference, 2 * state + kWorkspace);
  EXPECT_LT(inference, sgd);
}

TEST(Generate, ActivationsGrowWithTheBatchAndShrinkWithRecomputation) {
  auto workload = tiny();
  workload.batch = 32;
  workload.shape.layers = 8;
  const auto peak = [&] { return summarize(trace_of(workload)).peak_live; };
  const auto whole = peak();
  workload.recompute = Recompute::selective;
  const auto selective = peak();
  workload.recompute = Recompute::full;
  const auto full = peak();
  EXPECT_LT(selective, whole);
  EXPECT_LT(full, selective);
  workload.recompute = Recompute::none;
  workload.offload = Offload::activations;
  EXPECT_LT(peak(), whole);
  workload.offload = Offload::none;
  workload.batch = 64;
  EXPECT_GT(peak(), whole);
}

TEST(Generate, AFixedStepRepeatsItself) {
  auto workload = tiny();
  const auto trace_with = [&](std::uint64_t iterations) {
    workload.iterations = iterations;
    return trace_of(workload).events.size();
  };
  const auto two = trace_with(2), three = trace_with(3), four = trace_with(4);
  EXPECT_EQ(three - two, four - three);
  EXPECT_GT(three, two);
}

TEST(Generate, UsesTheStreamsAskedFor) {
  auto workload = tiny();
  EXPECT_EQ(trace_of(workload).streams.size(), 1U);
  workload.shape.hidden = 512;
  workload.shape.ffn = 4096;
  workload.streams = 3;
  EXPECT_EQ(trace_of(workload).streams.size(), 3U);
  workload.offload = Offload::optimizer;
  EXPECT_EQ(trace_of(workload).streams.size(), 4U);
}

TEST(Workload, NamesWhatCanNotBe) {
  auto workload = tiny();
  workload.shape.heads = 3;
  EXPECT_THAT(problem(workload).value_or(""),
              testing::HasSubstr("--hidden 256 is no multiple of --heads 3"));
  workload = tiny();
  workload.kv_cache = KvCache::paged;
  EXPECT_THAT(problem(workload).value_or(""), testing::HasSubstr("--mode inference"));
  workload = tiny();
  workload.iterations = 0;
  EXPECT_THAT(problem(workload).value_or(""), testing::HasSubstr("--iterations is 0"));
  EXPECT_FALSE(preset("gpt9"));
  for (const auto& name : preset_names()) {
    workload.shape = *preset(name);
    workload.iterations = 1;
    EXPECT_EQ(problem(workload), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace gmlake::trace::generate
