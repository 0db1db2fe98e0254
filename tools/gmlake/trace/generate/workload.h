// What the generator is asked for: a transformer's shape and how it is trained or served.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/units.h"
#include "trace/generate/random.h"

namespace gmlake::trace::generate {

enum class Mode { training, inference, pipeline };
enum class Optimizer { sgd, adam, adamw };
enum class Recompute { none, full, selective };
enum class Attention { eager, fused };
enum class Offload { none, optimizer, activations };
enum class Lengths { fixed, random, bucketed };
enum class KvCache { none, growing, paged };
enum class AfterStep { freed, kept };
enum class WaitFor { neighbours, round };

// The model. GPT style: layer norm, GELU, biases, learned positions, dropout, tied output
// embedding. LLaMA style (`gated`): RMS norm, SwiGLU, rotary positions, none of the former.
struct Shape {
  std::uint64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, ffn = 0, vocabulary = 0;
  std::uint64_t context = 0;  // rows of the learned position embedding
  std::uint64_t experts = 0;  // 0: one dense feed-forward network
  bool gated = false;
};

struct Workload {
  Shape shape;
  Mode mode = Mode::training;
  Optimizer optimizer = Optimizer::adamw;
  Recompute recompute = Recompute::none;
  Attention attention = Attention::eager;
  Offload offload = Offload::none;
  Lengths lengths = Lengths::fixed;
  KvCache kv_cache = KvCache::none;
  AfterStep gradients = AfterStep::freed;
  bool dropout = true;  // GPT style only
  bool clip_gradients = false;
  bool foreach_optimizer = false;  // temporaries of all parameters at once instead of one by one
  Bytes element = 4;               // of parameters and activations
  std::uint64_t sequence = 1024, batch = 4, iterations = 4, lora_rank = 0, streams = 1, seed = 1;
  // Of a pipeline: slots between two stages, and what a stage waits for.
  std::uint64_t depth = 2;
  WaitFor wait_for = WaitFor::neighbours;
  bool keep = false;  // leave what is live at the end
};

// A known model by name; nothing if it is unknown.
std::optional<Shape> preset(std::string_view name);
std::vector<std::string> preset_names();

// An iteration's sequence length: at least a quarter of the full one when it varies, and a multiple
// of an eighth of it in buckets.
std::uint64_t next_length(const Workload& workload, Random& random);

// What can not be, in words; nothing if the workload can be generated.
std::optional<std::string> problem(const Workload& workload);

}  // namespace gmlake::trace::generate
