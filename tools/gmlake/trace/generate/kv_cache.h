// Keys and values of requests being served: they grow token by token and leave with their request.
#pragma once

#include <list>
#include <vector>

#include "trace/generate/framework.h"

namespace gmlake::trace::generate {

// One user's request. Cached rows are kept for each layer.
struct Request {
  std::uint64_t fresh = 0;                  // tokens being run now: the prompt, later one
  std::uint64_t cached = 0;                 // tokens run before
  std::uint64_t remaining = 0;              // tokens still to be written
  std::vector<std::vector<Tensor>> layers;  // growing: keys, values; paged: one tensor a page
};
using Requests = std::list<Request>;

// Attention of the fresh tokens of all requests over everything cached, which grows by them.
Variable cached_attention(Framework& f, const Variable& qkv, Requests& requests,
                          std::uint64_t layer);

}  // namespace gmlake::trace::generate
