// Mixture of experts: each token goes to two of them, and how many each one gets changes all the
// time.
#include <algorithm>
#include <utility>

#include "trace/generate/transformer.h"

namespace gmlake::trace::generate {
namespace {

constexpr std::uint64_t kExpertsPerToken = 2;

// Shares `total` out in random proportion, the same for a recomputation of the same layer.
std::vector<std::uint64_t> random_shares(const Framework& f, std::uint64_t total,
                                         std::uint64_t parts) {
  Random random(f.workload().seed, f.iteration + 1, f.layer);
  std::vector<std::uint64_t> shares(parts);
  std::uint64_t sum = 0, left = total;
  for (auto& share : shares) sum += share = random.between(10, 100);
  for (auto& share : shares) {
    share = share * total / sum;
    left -= share;
  }
  shares.front() += left;
  return shares;
}

// The rows of x that one expert gets. Their gradient goes back into zeros of x's shape.
Variable gather(Framework& f, const Variable& x, std::uint64_t rows) {
  auto indices = f.tensor(rows * Framework::kIndex);
  auto result = f.variable(rows, x.columns);
  result.node = f.node({x.node}, false);
  if (!result.node) return result;
  result.node->saved = {f.save(indices)};
  result.node->backward = [&f, count = x.elements()](Node&, Tensor) {
    Gradients out(1);
    out[0] = f.elements(count);
    return out;
  };
  return result;
}

// Adds an expert's rows, weighted, into the common result in place.
Variable scatter(Framework& f, Variable common, const Variable& part) {
  auto weighted = f.elements(part.elements());
  Variable result{common.data, common.rows, common.columns,
                  f.node({common.node, part.node}, false)};
  if (!result.node) return result;
  result.node->saved = {f.save(part.data)};
  result.node->backward = [&f, count = part.elements()](Node& self, Tensor gradient) {
    Gradients out(2);
    if (self.inputs[1]) {
      auto gathered = f.elements(count);
      out[1] = f.elements(count);  // times the weight
    }
    out[0] = std::move(gradient);
    return out;
  };
  return result;
}

}  // namespace

Variable Transformer::mixture(const Variable& x, Layer& layer) {
  const auto count = shape_.experts;
  auto logits = linear(f_, x, layer.router);
  auto weights = f_.tensor(x.rows * count * Framework::kSingle);
  auto best = f_.tensor(x.rows * kExpertsPerToken * Framework::kSingle);
  auto chosen = f_.tensor(x.rows * kExpertsPerToken * Framework::kIndex);
  weights.drop();
  Variable result = f_.variable(x.rows, x.columns);
  // The router learns through the weights: its gradient is as small as its logits.
  result.node = f_.node({logits.node}, false);
  if (result.node) {
    result.node->saved = {f_.save(best), f_.save(chosen)};
    result.node->backward = [this, elements = logits.elements()](Node&, Tensor) {
      Gradients out(1);
      out[0] = f_.elements(elements);
      return out;
    };
  }
  const auto shares = random_shares(f_, x.rows * kExpertsPerToken, count);
  for (std::uint64_t k = 0; k < count; ++k) {
    if (shares[k] == 0) continue;
    auto part = gather(f_, x, shares[k]);
    part = dense(part, layer.experts[k]);
    result = scatter(f_, std::move(result), part);
  }
  return result;
}

}  // namespace gmlake::trace::generate
