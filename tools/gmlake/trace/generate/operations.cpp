// Forward and backward of everything but attention; see operations.h.
#include "trace/generate/operations.h"

#include <utility>

namespace gmlake::trace::generate {
namespace {

constexpr Bytes kSingle = Framework::kSingle;

Variable rms_norm(Framework& f, const Variable& x, NormWeights& weights) {
  const auto wide = x.elements() * kSingle;
  auto input = f.mixed() ? f.tensor(wide) : x.data;  // computed in fp32
  auto squares = f.tensor(wide);
  auto mean = f.tensor(x.rows * kSingle);
  squares.drop();
  auto shifted = f.tensor(x.rows * kSingle);
  mean.drop();
  auto scale = f.tensor(x.rows * kSingle);
  shifted.drop();
  auto scaled = f.tensor(wide);
  auto narrow = scaled;
  if (f.mixed()) narrow = f.elements(x.elements());
  scaled.drop();
  auto result = f.variable(x.rows, x.columns);
  result.node = f.node({x.node}, weights.weight.trainable);
  if (!result.node) return result;
  result.node->saved = {f.save(input), f.save(scale), f.save(narrow)};
  result.node->backward = [&f, &weights, rows = x.rows, columns = x.columns](Node& self,
                                                                             Tensor gradient) {
    const auto count = rows * columns;
    auto scaled_gradient = f.elements(count);
    if (weights.weight.trainable) {
      auto product = f.elements(count);
      auto sum = f.elements(columns);
      product.drop();
      f.accumulate(weights.weight, std::move(sum));
    }
    gradient.drop();
    Gradients out(1);
    if (!self.inputs[0]) return out;
    if (f.mixed()) scaled_gradient = f.tensor(count * kSingle);
    auto direct = f.tensor(count * kSingle);
    auto product = f.tensor(count * kSingle);
    scaled_gradient.drop();
    auto of_scale = f.tensor(rows * kSingle);
    product.drop();
    auto of_mean = f.tensor(rows * kSingle);
    of_scale.drop();
    auto through_mean = f.tensor(count * kSingle);
    of_mean.drop();
    through_mean.drop();  // added to `direct` in place
    out[0] = f.mixed() ? f.elements(count) : direct;
    return out;
  };
  return result;
}

Variable layer_norm(Framework& f, const Variable& x, NormWeights& weights) {
  auto result = f.variable(x.rows, x.columns);
  auto mean = f.tensor(x.rows * kSingle);
  auto scale = f.tensor(x.rows * kSingle);
  result.node = f.node({x.node}, weights.weight.trainable);
  if (!result.node) return result;
  result.node->saved = {f.save(x.data), f.save(mean), f.save(scale)};
  result.node->backward = [&f, &weights, count = x.elements(), columns = x.columns](Node& self,
                                                                                    Tensor) {
    Gradients out(1);
    if (self.inputs[0]) out[0] = f.elements(count);
    if (weights.weight.trainable) {
      auto of_weight = f.elements(columns);
      auto of_bias = f.elements(columns);
      f.accumulate(weights.weight, std::move(of_weight));
      f.accumulate(weights.bias, std::move(of_bias));
    }
    return out;
  };
  return result;
}

// An operation on each element: one result, one input kept for backward, one new gradient.
Variable pointwise(Framework& f, const Variable& x, const Tensor& kept) {
  auto result = f.variable(x.rows, x.columns);
  result.node = f.node({x.node}, false);
  if (!result.node) return result;
  result.node->saved = {f.save(kept)};
  result.node->backward = [&f, count = x.elements()](Node&, Tensor) {
    Gradients out(1);
    out[0] = f.elements(count);
    return out;
  };
  return result;
}

}  // namespace

Variable norm(Framework& f, const Variable& x, NormWeights& weights) {
  return weights.bias.elements == 0 ? rms_norm(f, x, weights) : layer_norm(f, x, weights);
}

Variable linear(Framework& f, const Variable& x, LinearWeights& w) {
  f.use_workspace();
  const bool adapted = w.lora_down.elements > 0;
  const auto rank = adapted ? w.lora_down.elements / w.in : 0;
  auto result = f.variable(x.rows, w.out);
  Tensor low;
  if (adapted) {
    low = f.elements(x.rows * rank);
    auto raised = f.elements(x.rows * w.out);
    auto scaled = f.elements(x.rows * w.out);
    raised.drop();
    result.data = f.elements(x.rows * w.out);
    scaled.drop();
  }
  result.node = f.node({x.node}, w.weight.trainable || adapted);
  if (!result.node) return result;
  if (w.weight.trainable || adapted) result.node->saved.push_back(f.save(x.data));
  if (adapted) result.node->saved.push_back(f.save(low));
  result.node->backward = [&f, &w, rows = x.rows, adapted, rank](Node& self, Tensor gradient) {
    f.use_workspace();
    Gradients out(1);
    if (adapted) {
      auto scaled = f.elements(rows * w.out);
      auto of_low = f.elements(rows * rank);
      auto of_up = f.elements(w.lora_up.elements);
      scaled.drop();
      f.accumulate(w.lora_up, std::move(of_up));
      if (self.inputs[0]) out[0] = f.elements(rows * w.in);
      auto of_down = f.elements(w.lora_down.elements);
      of_low.drop();
      f.accumulate(w.lora_down, std::move(of_down));
    }
    if (self.inputs[0]) {
      auto direct = f.elements(rows * w.in);
      if (!out[0]) out[0] = std::move(direct);  // otherwise added in place
    }
    if (w.weight.trainable) {
      auto of_weight = f.elements(w.weight.elements);
      Tensor of_bias;
      if (w.bias.elements > 0) of_bias = f.elements(w.bias.elements);
      gradient.drop();
      if (of_bias) f.accumulate(w.bias, std::move(of_bias));
      f.accumulate(w.weight, std::move(of_weight));
    }
    return out;
  };
  return result;
}

Variable dropout(Framework& f, const Variable& x) {
  auto mask = f.tensor(x.elements());  // one byte each
  return pointwise(f, x, mask);
}

Variable add(Framework& f, const Variable& a, const Variable& b) {
  auto result = f.variable(a.rows, a.columns);
  result.node = f.node({a.node, b.node}, false);
  if (result.node)
    result.node->backward = [](Node&, Tensor gradient) { return Gradients{gradient, gradient}; };
  return result;
}

Variable gelu(Framework& f, const Variable& x) {
  return pointwise(f, x, x.data);
}

Variable gated_silu(Framework& f, const Variable& gate, const Variable& up) {
  const auto active = pointwise(f, gate, gate.data);
  auto result = f.variable(up.rows, up.columns);
  result.node = f.node({active.node, up.node}, false);
  if (!result.node) return result;
  result.node->saved = {f.save(active.data), f.save(up.data)};
  result.node->backward = [&f, count = up.elements()](Node& self, Tensor) {
    Gradients out(2);
    if (self.inputs[0]) out[0] = f.elements(count);
    if (self.inputs[1]) out[1] = f.elements(count);
    return out;
  };
  return result;
}

Variable embedding(Framework& f, const Tensor& indices, std::uint64_t rows, std::uint64_t columns,
                   Parameter& table) {
  auto result = f.variable(rows, columns);
  result.node = f.node({}, table.trainable);
  if (!result.node) return result;
  result.node->saved = {f.save(indices)};
  result.node->backward = [&f, &table](Node&, Tensor) {
    auto dense = f.elements(table.elements);
    f.accumulate(table, std::move(dense));
    return Gradients{};
  };
  return result;
}

Variable cross_entropy(Framework& f, const Variable& logits) {
  const auto wide = logits.elements() * kSingle;
  Tensor single = f.mixed() ? f.tensor(wide) : logits.data;
  auto log_softmax = f.tensor(wide);
  single.drop();
  Variable loss{f.tensor(kSingle), 1, 1, nullptr};
  auto total_weight = f.tensor(kSingle);
  loss.node = f.node({logits.node}, false);
  if (!loss.node) return loss;
  loss.node->saved = {f.save(log_softmax), f.save(total_weight)};
  loss.node->backward = [&f, count = logits.elements()](Node& self, Tensor) {
    auto picked = f.tensor(count * kSingle);
    auto wide_gradient = f.tensor(count * kSingle);
    picked.drop();
    self.saved.clear();
    Gradients out(1);
    out[0] = f.mixed() ? f.elements(count) : wide_gradient;
    return out;
  };
  return loss;
}

}  // namespace gmlake::trace::generate
