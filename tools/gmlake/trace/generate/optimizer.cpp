// SGD with momentum, Adam and AdamW; one by one, all at once, or with states on the host; see
// optimizer.h.
#include "trace/generate/optimizer.h"

#include <deque>
#include <utility>

namespace gmlake::trace::generate {
namespace {

constexpr Bytes kSingle = Framework::kSingle;
constexpr Bytes kOffloadGroup = 64 * MiB;  // states moved in and out together
constexpr std::size_t kGroupsAhead = 2;

using Parameters = std::vector<Parameter*>;

Bytes state_bytes(const Framework& f, const Parameter& p) {
  return p.elements * kSingle * (f.workload().optimizer == Optimizer::sgd ? 1 : 2);
}

void make_states(Framework& f, Parameter& p, std::uint64_t stream) {
  if (p.first_moment) return;
  p.first_moment = f.tensor_on(stream, p.elements * kSingle);
  if (f.workload().optimizer != Optimizer::sgd)
    p.second_moment = f.tensor_on(stream, p.elements * kSingle);
}

// The temporaries of updating the given parameters together, each step for all of them: a list of
// one is the plain loop, a list of all is what a "foreach" implementation does.
void update(Framework& f, const Parameters& parameters) {
  using Tensors = std::vector<Tensor>;
  const auto each = [&](Bytes element) {
    Tensors made;
    for (const auto* p : parameters) made.push_back(f.tensor(p->elements * element));
    return made;
  };
  Tensors gradients;
  if (f.workload().optimizer == Optimizer::adam)
    gradients = each(f.element());  // plus weight decay
  if (f.mixed()) gradients = each(kSingle);
  if (f.workload().optimizer != Optimizer::sgd) {
    auto root = each(kSingle);
    auto denominator = each(kSingle);
    root.clear();
    if (f.mixed()) {
      auto change = each(kSingle);
      denominator.clear();
      each(f.element());
    }
  } else if (f.mixed()) {
    each(f.element());
  }
}

void step_offloaded(Framework& f, const Parameters& parameters) {
  std::vector<Parameters> groups(1);
  Bytes bytes = 0;
  for (auto* p : parameters) {
    if (bytes > 0 && bytes + state_bytes(f, *p) > kOffloadGroup) {
      groups.emplace_back();
      bytes = 0;
    }
    groups.back().push_back(p);
    bytes += state_bytes(f, *p);
  }
  const auto discard = [](const Parameters& group) {
    for (auto* p : group) {
      p->first_moment.drop();
      p->second_moment.drop();
    }
  };
  for (std::size_t i = 0; i < groups.size() + kGroupsAhead; ++i) {
    if (i < groups.size())
      for (auto* p : groups[i]) make_states(f, *p, f.copy_stream());
    if (i + 1 < kGroupsAhead) continue;
    const auto now = i + 1 - kGroupsAhead;  // has arrived
    if (now < groups.size())
      for (auto* p : groups[now]) update(f, {p});
    if (now > 0 && now <= groups.size()) discard(groups[now - 1]);  // has been copied back
  }
}

}  // namespace

void optimizer_step(Framework& f, const Parameters& parameters) {
  if (f.workload().offload == Offload::optimizer) return step_offloaded(f, parameters);
  for (auto* p : parameters) {
    make_states(f, *p, 0);
    if (!f.workload().foreach_optimizer) update(f, {p});
  }
  if (f.workload().foreach_optimizer) update(f, parameters);
}

void clip_gradients(Framework& f, const Parameters& parameters) {
  std::vector<Tensor> norms;
  for (std::size_t i = 0; i < parameters.size(); ++i) norms.push_back(f.tensor(kSingle));
  const auto stacked = f.tensor(parameters.size() * kSingle);
  const auto total = f.tensor(kSingle);
  norms.clear();
  const auto ratio = f.tensor(kSingle);
  const auto clamped = f.tensor(kSingle);
}

}  // namespace gmlake::trace::generate
