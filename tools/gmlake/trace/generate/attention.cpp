// Attention with all its temporaries, or as one fused kernel; see operations.h.
#include <utility>

#include "trace/generate/operations.h"

namespace gmlake::trace::generate {
namespace {

struct Sizes {
  std::uint64_t queries, keys, scores, rows_per_head;  // elements

  Sizes(const Framework& f, const Variable& qkv) {
    const auto& shape = f.workload().shape;
    queries = qkv.rows * shape.hidden;
    keys = (qkv.elements() - queries) / 2;
    rows_per_head = f.batch * shape.heads * f.length;
    scores = rows_per_head * f.length;
  }
};

// Rotary positions: the rotated half, two products and their sum, for one of queries and keys.
Tensor rotate(Framework& f, std::uint64_t count) {
  auto negated = f.elements(count / 2);
  auto halves = f.elements(count);
  negated.drop();
  auto by_cosine = f.elements(count);
  auto by_sine = f.elements(count);
  halves.drop();
  return f.elements(count);
}

// Queries, keys and values as the multiplication wants them.
std::vector<Tensor> prepare(Framework& f, const Sizes& n) {
  const auto& shape = f.workload().shape;
  std::vector<Tensor> out(3);
  out[0] = shape.gated ? rotate(f, n.queries) : f.elements(n.queries);
  out[1] = shape.gated ? rotate(f, n.keys) : f.elements(n.keys);
  out[2] = f.elements(n.keys);
  if (shape.kv_heads == shape.heads) return out;
  out[1] = f.elements(n.queries);  // keys and values repeated for the heads that share them
  out[2] = f.elements(n.queries);
  return out;
}

Tensor join_gradients(Framework& f, const Sizes& n, std::vector<Tensor> parts) {
  if (n.keys != n.queries) {
    parts[1] = f.elements(n.keys);
    parts[2] = f.elements(n.keys);
  }
  if (f.workload().shape.gated) {
    parts[0] = rotate(f, n.queries);
    parts[1] = rotate(f, n.keys);
  }
  return f.elements(n.queries + 2 * n.keys);
}

Variable eager(Framework& f, const Variable& qkv, const Sizes& n) {
  f.use_workspace();
  auto inputs = prepare(f, n);
  auto scores = f.elements(n.scores);
  scores = f.elements(n.scores);  // scaled
  scores = f.elements(n.scores);  // masked
  if (f.workload().shape.gated && f.mixed()) scores = f.tensor(n.scores * Framework::kSingle);
  auto weights = f.tensor(scores.bytes());  // softmax
  scores.drop();
  if (weights.bytes() != n.scores * f.element()) weights = f.elements(n.scores);
  const bool drops = f.workload().dropout && f.recording;
  Tensor mask;
  auto used = weights;
  if (drops) {
    mask = f.tensor(n.scores);
    used = f.elements(n.scores);
  }
  auto heads = f.elements(n.queries);
  auto result = f.variable(qkv.rows, f.workload().shape.hidden);
  heads.drop();
  result.node = f.node({qkv.node}, false);
  if (!result.node) return result;
  for (const auto& input : inputs) result.node->saved.push_back(f.save(input));
  result.node->saved.push_back(f.save(weights));
  if (drops) {
    result.node->saved.push_back(f.save(mask));
    result.node->saved.push_back(f.save(used));
  }
  result.node->backward = [&f, n, drops](Node& self, Tensor gradient) {
    auto heads_gradient = f.elements(n.queries);
    gradient.drop();
    std::vector<Tensor> parts(3);
    auto of_scores = f.elements(n.scores);
    parts[2] = f.elements(n.queries);
    heads_gradient.drop();
    if (drops) {
      of_scores = f.elements(n.scores);
      self.saved.resize(4);  // mask and result of the dropout are done with
    }
    of_scores = f.elements(n.scores);  // of the softmax
    self.saved.resize(3);
    of_scores = f.elements(n.scores);  // of the mask
    of_scores = f.elements(n.scores);  // of the scale
    parts[0] = f.elements(n.queries);
    parts[1] = f.elements(n.queries);
    of_scores.drop();
    Gradients out(1);
    out[0] = join_gradients(f, n, std::move(parts));
    return out;
  };
  return result;
}

Variable fused(Framework& f, const Variable& qkv, const Sizes& n) {
  std::vector<Tensor> inputs{qkv.data};  // views of it, unless rotated
  if (f.workload().shape.gated) {
    inputs.push_back(rotate(f, n.queries));
    inputs.push_back(rotate(f, n.keys));
  }
  auto result = f.variable(qkv.rows, f.workload().shape.hidden);
  auto log_sums = f.tensor(n.rows_per_head * Framework::kSingle);
  auto random_state = f.tensor(2 * Framework::kIndex);
  result.node = f.node({qkv.node}, false);
  if (!result.node) return result;
  for (const auto& input : inputs) result.node->saved.push_back(f.save(input));
  result.node->saved.push_back(f.save(result.data));
  result.node->saved.push_back(f.save(log_sums));
  result.node->saved.push_back(f.save(random_state));
  result.node->backward = [&f, n](Node&, Tensor) {
    auto row_sums = f.tensor(n.rows_per_head * Framework::kSingle);
    auto accumulator = f.tensor(n.queries * Framework::kSingle);
    std::vector<Tensor> parts(3);
    for (auto& part : parts) part = f.elements(n.queries);
    accumulator.drop();
    row_sums.drop();
    Gradients out(1);
    out[0] = join_gradients(f, n, std::move(parts));
    return out;
  };
  return result;
}

}  // namespace

Variable attention(Framework& f, const Variable& qkv) {
  const Sizes sizes(f, qkv);
  return f.workload().attention == Attention::eager ? eager(f, qkv, sizes) : fused(f, qkv, sizes);
}

}  // namespace gmlake::trace::generate
