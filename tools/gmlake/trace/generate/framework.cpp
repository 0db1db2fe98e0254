// Graph, engine, gradient buckets, recomputation, offloading; see framework.h.
#include "trace/generate/framework.h"

#include <algorithm>
#include <utility>

namespace gmlake::trace::generate {
namespace {

constexpr Bytes kWorkspace = 8'519'680;  // what PyTorch gives cuBLAS: 4096 KiB + 8 x 16 KiB, twice
constexpr Bytes kBucket = 25 * MiB;      // gradients reduced together, as PyTorch's DDP does
constexpr std::size_t kBucketsInFlight = 2;
constexpr Bytes kWorthOffloading = MiB;

}  // namespace

Framework::Framework(Recorder& recorder, const Workload& workload)
    : offload(*this), recorder_(recorder), workload_(workload), random_(workload.seed) {}

void Framework::use_workspace() {
  auto& workspace = workspaces_[stream_];
  if (!workspace) workspace = tensor(kWorkspace);
}

NodePointer Framework::node(std::vector<NodePointer> inputs, bool wanted_anyway) {
  const bool wanted =
      wanted_anyway ||
      std::any_of(inputs.begin(), inputs.end(), [](const NodePointer& n) { return n != nullptr; });
  if (!recording || !wanted) return nullptr;
  auto made = std::make_shared<Node>();
  made->sequence = ++sequence_;
  made->layer = in_backward_ ? 0 : layer;
  made->inputs = std::move(inputs);
  return made;
}

std::shared_ptr<Saved> Framework::save(const Tensor& tensor) {
  auto saved = std::make_shared<Saved>(Saved{tensor, tensor.bytes()});
  if (workload_.offload == Offload::activations && !in_backward_ && layer > 0)
    offload.saved(layer, saved);
  return saved;
}

// Later nodes first, which runs every node after all that use its result.
void Framework::backward(NodePointer from, Tensor gradient) {
  std::map<std::uint64_t, NodePointer, std::greater<>> ready;
  from->gradient = std::move(gradient);
  ready.emplace(from->sequence, std::move(from));
  const bool outermost = !std::exchange(in_backward_, true);
  while (!ready.empty()) {
    auto current = std::move(ready.begin()->second);
    ready.erase(ready.begin());
    if (outermost && current->layer != 0 && current->layer != backward_layer_) {
      backward_layer_ = current->layer;
      if (workload_.offload == Offload::activations) offload.entered_backward(backward_layer_);
    }
    if (!current->backward) continue;  // a leaf: its gradient stays for whoever made it
    auto arrived = std::move(current->gradient);
    auto gradients = current->backward(*current, std::move(arrived));
    current->saved.clear();
    for (std::size_t i = 0; i < current->inputs.size(); ++i) {
      auto input = std::move(current->inputs[i]);
      if (!input) continue;
      if (!input->gradient) {
        input->gradient = std::move(gradients[i]);
      } else if (!input->gradient.unique()) {  // someone else holds it too: the sum is a new tensor
        input->gradient = tensor(input->gradient.bytes());
      }
      gradients[i].drop();
      ready.emplace(input->sequence, std::move(input));
    }
  }
  if (outermost) {
    in_backward_ = false;
    backward_layer_ = 0;
  }
}

void Framework::accumulate(Parameter& parameter, Tensor gradient) {
  const auto bytes = gradient.bytes();
  if (!parameter.gradient) parameter.gradient = std::move(gradient);
  gradient.drop();
  reduce_gradient(bytes);
}

// Gradients ready on the compute stream are gathered into one buffer, which a side stream sums over
// all devices while backward goes on.
void Framework::reduce_gradient(Bytes bytes) {
  if (workload_.streams < 2) return;
  bucket_bytes_ += bytes;
  if (bucket_bytes_ < kBucket) return;
  reducing_.push_back(tensor_on(side_stream(buckets_++ % (workload_.streams - 1)), bucket_bytes_));
  bucket_bytes_ = 0;
  if (reducing_.size() > kBucketsInFlight) reducing_.pop_front();
}

void Framework::finish_gradients() {
  if (bucket_bytes_ > 0)
    reducing_.push_back(
        tensor_on(side_stream(buckets_++ % (workload_.streams - 1)), bucket_bytes_));
  bucket_bytes_ = 0;
  while (!reducing_.empty()) reducing_.pop_front();
}

Variable Framework::checkpoint(const Variable& input, Part part) {
  const bool was_recording = std::exchange(recording, false);
  auto result = part({input.data, input.rows, input.columns, nullptr});
  recording = was_recording;
  result.node = node({input.node}, true);
  if (!result.node) return result;
  result.node->saved = {save(input.data)};
  const auto of_layer = layer;
  result.node->backward = [this, part = std::move(part), rows = input.rows, columns = input.columns,
                           of_layer](Node& self, Tensor gradient) {
    const auto outer_layer = std::exchange(layer, of_layer);
    NodePointer leaf;
    if (self.inputs[0]) leaf = node({}, true);
    auto again = part({self.saved[0]->tensor, rows, columns, leaf});
    layer = outer_layer;
    self.saved.clear();
    again.data.drop();
    backward(std::move(again.node), std::move(gradient));
    Gradients gradients(1);
    if (leaf) gradients[0] = std::move(leaf->gradient);
    return gradients;
  };
  return result;
}

void ActivationOffload::saved(std::uint64_t layer, const std::shared_ptr<Saved>& tensor) {
  if (tensor->bytes >= kWorthOffloading) layers_[layer].push_back(tensor);
}

void ActivationOffload::left_forward(std::uint64_t layer) {
  for (const auto& entry : layers_[layer - 1])
    if (const auto tensor = entry.lock()) tensor->tensor.drop();
}

void ActivationOffload::entered_backward(std::uint64_t layer) {
  fetch(layer);
  layers_.erase(layer);
  if (layer > 1) fetch(layer - 1);
}

void ActivationOffload::fetch(std::uint64_t layer) {
  for (const auto& entry : layers_[layer])
    if (const auto saved = entry.lock(); saved && !saved->tensor)
      saved->tensor = framework_.tensor_on(framework_.copy_stream(), saved->bytes);
}

}  // namespace gmlake::trace::generate
