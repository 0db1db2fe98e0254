// A decoder-only transformer: its parameters and its forward pass, made of operations.h.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "trace/generate/kv_cache.h"
#include "trace/generate/operations.h"

namespace gmlake::trace::generate {

class Transformer {
 public:
  // Allocates the parameters. With a LoRA rank only the adapters are trainable.
  explicit Transformer(Framework& f);

  // Logits for `indices`, which name f.batch x f.length tokens, or the fresh tokens of `requests`.
  Variable forward(const Tensor& indices, std::uint64_t rows, Requests* requests = nullptr);
  // Those that are trained, in the order of the model.
  const std::vector<Parameter*>& trainable() const { return trainable_; }

 private:
  struct FeedForward {
    LinearWeights up, gate, down;
  };
  struct Layer {
    NormWeights before_attention, before_feed_forward;
    LinearWeights qkv, projection, router;
    std::deque<FeedForward> experts;  // one if dense
  };

  void make(Parameter& parameter, std::uint64_t elements, bool adapter = false);
  void make(LinearWeights& weights, std::uint64_t in, std::uint64_t out, bool bias, bool adapted);
  void make(NormWeights& weights);
  Variable block(Variable x, Layer& layer, Requests* requests);
  Variable dense(const Variable& x, FeedForward& part);
  Variable mixture(const Variable& x, Layer& layer);
  Variable maybe_dropout(Variable x);

  Framework& f_;
  const Shape& shape_;
  Parameter tokens_, positions_;
  std::deque<Layer> layers_;
  NormWeights final_norm_;
  LinearWeights head_;
  std::vector<Parameter*> trainable_;
};

}  // namespace gmlake::trace::generate
