// Parameters and layers; see transformer.h. The mixture of experts is in experts.cpp.
#include "trace/generate/transformer.h"

#include <algorithm>
#include <utility>

namespace gmlake::trace::generate {

Transformer::Transformer(Framework& f) : f_(f), shape_(f.workload().shape) {
  const bool gpt = !shape_.gated;
  const auto head = shape_.hidden / shape_.heads;
  make(tokens_, shape_.vocabulary * shape_.hidden);
  if (gpt) make(positions_, shape_.context * shape_.hidden);
  for (std::uint64_t i = 0; i < shape_.layers; ++i) {
    auto& layer = layers_.emplace_back();
    make(layer.before_attention);
    make(layer.qkv, shape_.hidden, shape_.hidden + 2 * head * shape_.kv_heads, gpt, true);
    make(layer.projection, shape_.hidden, shape_.hidden, gpt, true);
    make(layer.before_feed_forward);
    if (shape_.experts > 0) make(layer.router, shape_.hidden, shape_.experts, false, false);
    for (std::uint64_t k = 0; k < std::max<std::uint64_t>(1, shape_.experts); ++k) {
      auto& part = layer.experts.emplace_back();
      if (shape_.gated) make(part.gate, shape_.hidden, shape_.ffn, false, false);
      make(part.up, shape_.hidden, shape_.ffn, gpt, false);
      make(part.down, shape_.ffn, shape_.hidden, gpt, false);
    }
  }
  make(final_norm_);
  // GPT style multiplies with the token embedding: its gradient then has two sources.
  if (shape_.gated) make(head_, shape_.hidden, shape_.vocabulary, false, false);
}

void Transformer::make(Parameter& parameter, std::uint64_t elements, bool adapter) {
  const auto& workload = f_.workload();
  parameter.elements = elements;
  parameter.trainable = workload.mode == Mode::training && (adapter || workload.lora_rank == 0);
  parameter.data = f_.elements(elements);
  if (parameter.trainable) trainable_.push_back(&parameter);
}

void Transformer::make(LinearWeights& weights, std::uint64_t in, std::uint64_t out, bool bias,
                       bool adapted) {
  weights.in = in;
  weights.out = out;
  make(weights.weight, in * out);
  if (bias) make(weights.bias, out);
  const auto rank = f_.workload().lora_rank;
  if (!adapted || rank == 0) return;
  make(weights.lora_down, in * rank, true);
  make(weights.lora_up, rank * out, true);
}

void Transformer::make(NormWeights& weights) {
  make(weights.weight, shape_.hidden);
  if (!shape_.gated) make(weights.bias, shape_.hidden);
}

Variable Transformer::maybe_dropout(Variable x) {
  const bool drops = f_.workload().mode == Mode::training && f_.workload().dropout;
  return drops ? dropout(f_, x) : std::move(x);
}

Variable Transformer::dense(const Variable& x, FeedForward& part) {
  if (!shape_.gated) {
    auto wide = linear(f_, x, part.up);
    auto active = gelu(f_, wide);
    wide = {};
    return linear(f_, active, part.down);
  }
  auto gate = linear(f_, x, part.gate);
  auto up = linear(f_, x, part.up);
  auto active = gated_silu(f_, gate, up);
  gate = {};
  up = {};
  return linear(f_, active, part.down);
}

Variable Transformer::block(Variable x, Layer& layer, Requests* requests) {
  auto h = norm(f_, x, layer.before_attention);
  h = linear(f_, h, layer.qkv);
  if (requests)
    h = cached_attention(f_, h, *requests, f_.layer - 1);
  else if (f_.workload().recompute == Recompute::selective)
    h = f_.checkpoint(h, [this](Variable qkv) { return attention(f_, qkv); });
  else
    h = attention(f_, h);
  h = linear(f_, h, layer.projection);
  h = maybe_dropout(std::move(h));
  x = add(f_, x, h);
  h = norm(f_, x, layer.before_feed_forward);
  h = shape_.experts > 0 ? mixture(h, layer) : dense(h, layer.experts.front());
  h = maybe_dropout(std::move(h));
  return add(f_, x, h);
}

Variable Transformer::forward(const Tensor& indices, std::uint64_t rows, Requests* requests) {
  auto x = embedding(f_, indices, rows, shape_.hidden, tokens_);
  if (!shape_.gated) {
    const auto numbers = f_.tensor(f_.length * Framework::kIndex);
    const auto positions =
        embedding(f_, numbers, requests ? rows : f_.length, shape_.hidden, positions_);
    x = add(f_, x, positions);
    x = maybe_dropout(std::move(x));
  }
  for (std::uint64_t i = 0; i < shape_.layers; ++i) {
    f_.layer = i + 1;
    auto& layer = layers_[i];
    if (f_.workload().recompute == Recompute::full)
      x = f_.checkpoint(
          x, [this, &layer](Variable in) { return block(std::move(in), layer, nullptr); });
    else
      x = block(std::move(x), layer, requests);
    if (f_.workload().offload == Offload::activations) f_.offload.left_forward(f_.layer);
  }
  f_.layer = 0;
  x = norm(f_, x, final_norm_);
  if (shape_.gated) return linear(f_, x, head_);

  f_.use_workspace();
  auto logits = f_.variable(rows, shape_.vocabulary);
  logits.node = f_.node({x.node}, tokens_.trainable);
  if (!logits.node) return logits;
  if (tokens_.trainable) logits.node->saved = {f_.save(x.data)};
  logits.node->backward = [this, count = x.elements()](Node& self, Tensor gradient) {
    Gradients out(1);
    if (self.inputs[0]) out[0] = f_.elements(count);
    if (tokens_.trainable) {
      auto of_tokens = f_.elements(tokens_.elements);
      gradient.drop();
      f_.accumulate(tokens_, std::move(of_tokens));
    }
    return out;
  };
  return logits;
}

}  // namespace gmlake::trace::generate
