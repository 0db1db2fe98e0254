// The operations of a transformer, each with the memory it takes forward and backward in an eager
// framework.
#pragma once

#include "trace/generate/framework.h"

namespace gmlake::trace::generate {

// A matrix multiplication's weights: columns_in -> columns_out.
struct LinearWeights {
  std::uint64_t in = 0, out = 0;
  Parameter weight, bias;        // bias: no elements if there is none
  Parameter lora_down, lora_up;  // low-rank adapter: no elements if there is none
};

struct NormWeights {
  Parameter weight, bias;  // bias: no elements for RMS norm
};

Variable norm(Framework& f, const Variable& x, NormWeights& weights);
Variable linear(Framework& f, const Variable& x, LinearWeights& weights);
Variable dropout(Framework& f, const Variable& x);
Variable add(Framework& f, const Variable& a, const Variable& b);
Variable gelu(Framework& f, const Variable& x);
Variable gated_silu(Framework& f, const Variable& gate, const Variable& up);
Variable embedding(Framework& f, const Tensor& indices, std::uint64_t rows, std::uint64_t columns,
                   Parameter& table);
// The mean loss over all rows: one element.
Variable cross_entropy(Framework& f, const Variable& logits);

// From queries, keys and values side by side to the heads' results: causal, over f.batch sequences
// of f.length.
Variable attention(Framework& f, const Variable& qkv);

}  // namespace gmlake::trace::generate
