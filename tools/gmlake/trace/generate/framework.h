// The part of a deep learning framework that decides when memory comes and goes: reference-counted
// tensors, a graph of what backward will need, and the engine that walks it back. Values are never
// computed.
//
// Orders are explicit (no allocation inside an argument list, saved tensors in one vector), so that
// every compiler produces the same trace.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "trace/generate/random.h"
#include "trace/generate/recorder.h"
#include "trace/generate/workload.h"

namespace gmlake::trace::generate {

class Framework;
struct Node;
using NodePointer = std::shared_ptr<Node>;
using Gradients = std::vector<Tensor>;  // one for each input of a node, empty where none is wanted

struct Parameter {
  std::uint64_t elements = 0;
  bool trainable = true;
  Tensor data, gradient;
  Tensor first_moment, second_moment;  // of the optimizer
};

// A result of `rows` x `columns` elements. With a node, backward has to reach it.
struct Variable {
  Tensor data;
  std::uint64_t rows = 0, columns = 0;
  NodePointer node;
  std::uint64_t elements() const { return rows * columns; }
};

// A tensor kept for backward; offloading may take it away in between.
struct Saved {
  Tensor tensor;
  Bytes bytes = 0;
};

struct Node {
  std::uint64_t sequence = 0;       // a node's inputs have lower numbers
  std::uint64_t layer = 0;          // 0: outside of the layers
  std::vector<NodePointer> inputs;  // empty pointers where no gradient is wanted
  std::vector<std::shared_ptr<Saved>> saved;
  // Given the gradient of the output, makes one gradient for each input that wants one, in order.
  std::function<Gradients(Node&, Tensor)> backward;
  Tensor gradient;  // what has arrived so far
};

// Moves saved activations out while forward goes on and in again ahead of backward, on a copy
// stream.
class ActivationOffload {
 public:
  explicit ActivationOffload(Framework& framework) : framework_(framework) {}
  void saved(std::uint64_t layer, const std::shared_ptr<Saved>& tensor);
  void left_forward(std::uint64_t layer);  // the copies of the layer before are done now
  void entered_backward(
      std::uint64_t layer);  // needs this layer; the one before it is fetched ahead

 private:
  void fetch(std::uint64_t layer);
  Framework& framework_;
  std::map<std::uint64_t, std::vector<std::weak_ptr<Saved>>> layers_;
};

class Framework {
 public:
  Framework(Recorder& recorder, const Workload& workload);

  const Workload& workload() const { return workload_; }
  Random& random() { return random_; }
  Bytes element() const { return workload_.element; }
  bool mixed() const { return workload_.element < kSingle; }  // 16-bit: some results are fp32
  static constexpr Bytes kSingle = 4, kIndex = 8;

  // New memory on the current stream, or a given one.
  Tensor tensor(Bytes bytes) { return {recorder_, bytes, stream_}; }
  Tensor tensor_on(std::uint64_t stream, Bytes bytes) { return {recorder_, bytes, stream}; }
  Tensor elements(std::uint64_t count) { return tensor(count * element()); }
  Variable variable(std::uint64_t rows, std::uint64_t columns) {
    return {elements(rows * columns), rows, columns, nullptr};
  }
  // The matrix library's workspace, made at the first use on each stream and never freed.
  void use_workspace();

  // The k-th stream beside the default one, and the one for copies to and from the host.
  static std::uint64_t side_stream(std::uint64_t k) { return 0x10 + k; }
  std::uint64_t copy_stream() const { return side_stream(workload_.streams); }
  void set_stream(std::uint64_t stream) { stream_ = stream; }

  // The last row that counts has been written: what is live is left so if asked for, else freed as
  // it goes.
  void finish() {
    if (workload_.keep) recorder_.stop();
  }

  // A node for an operation; nothing while no gradients are recorded or nobody wants one.
  NodePointer node(std::vector<NodePointer> inputs, bool wanted_anyway);
  std::shared_ptr<Saved> save(const Tensor& tensor);
  void backward(NodePointer from, Tensor gradient);
  void accumulate(Parameter& parameter, Tensor gradient);
  // Waits for the gradients on their way through side streams.
  void finish_gradients();

  // Runs `part` without keeping what it saves; backward runs it again first.
  using Part = std::function<Variable(Variable)>;
  Variable checkpoint(const Variable& input, Part part);

  bool recording = true;    // gradients
  std::uint64_t layer = 0;  // being run forward, from 1
  std::uint64_t iteration = 0;
  std::uint64_t length = 0, batch = 0;  // of the sequences being run
  ActivationOffload offload;

 private:
  void reduce_gradient(Bytes bytes);

  Recorder& recorder_;
  const Workload& workload_;
  Random random_;
  std::uint64_t stream_ = 0, sequence_ = 0, backward_layer_ = 0, buckets_ = 0;
  bool in_backward_ = false;
  std::map<std::uint64_t, Tensor> workspaces_;
  Bytes bucket_bytes_ = 0;
  std::deque<Tensor> reducing_;
};

}  // namespace gmlake::trace::generate
