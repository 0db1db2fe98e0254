// Growing and paged caches; see kv_cache.h.
#include "trace/generate/kv_cache.h"

namespace gmlake::trace::generate {
namespace {

constexpr std::uint64_t kPageTokens = 256;  // of one layer, keys and values together

void extend(Framework& f, Request& request, std::vector<Tensor>& cache, std::uint64_t row) {
  const auto total = request.cached + request.fresh;
  if (f.workload().kv_cache == KvCache::paged) {
    while (cache.size() * kPageTokens < total) cache.push_back(f.elements(2 * kPageTokens * row));
    return;
  }
  // Concatenated anew: old and new exist side by side for a moment.
  cache.resize(2);
  for (auto& part : cache) part = f.elements(total * row);
}

}  // namespace

Variable cached_attention(Framework& f, const Variable& qkv, Requests& requests,
                          std::uint64_t layer) {
  const auto& shape = f.workload().shape;
  const auto row = shape.hidden / shape.heads * shape.kv_heads;
  auto result = f.variable(qkv.rows, shape.hidden);
  for (auto& request : requests) {
    if (request.fresh == 0) continue;
    request.layers.resize(shape.layers);
    auto& cache = request.layers[layer];
    extend(f, request, cache, row);
    auto queries = f.elements(request.fresh * shape.hidden);
    if (f.workload().attention == Attention::eager) {
      const auto scores = shape.heads * request.fresh * (request.cached + request.fresh);
      auto weights = f.elements(scores);
      weights = f.elements(scores);  // scaled and masked
      weights = f.elements(scores);  // softmax
    }
    auto heads = f.elements(request.fresh * shape.hidden);  // copied into the result
  }
  return result;
}

}  // namespace gmlake::trace::generate
