// The loops around the model: training steps, plain inference, and a server with a cache; see
// generate.h.
#include "trace/generate/generate.h"

#include <algorithm>
#include <utility>

#include "trace/generate/optimizer.h"
#include "trace/generate/pipeline.h"
#include "trace/generate/transformer.h"

namespace gmlake::trace::generate {
namespace {

void train(Framework& f) {
  Transformer model(f);
  const auto& w = f.workload();
  Tensor inputs, targets;
  Variable loss;
  for (; f.iteration < w.iterations; ++f.iteration) {
    f.batch = w.batch;
    f.length = next_length(w, f.random());
    const auto rows = f.batch * f.length;
    inputs = f.tensor(rows * Framework::kIndex);  // the last batch lives until it is replaced
    targets = f.tensor(rows * Framework::kIndex);
    {
      auto logits = model.forward(inputs, rows);
      loss = cross_entropy(f, logits);
    }
    auto one = f.tensor(Framework::kSingle);
    f.backward(std::exchange(loss.node, nullptr), std::move(one));
    f.finish_gradients();
    if (w.clip_gradients) clip_gradients(f, model.trainable());
    optimizer_step(f, model.trainable());
    if (w.gradients == AfterStep::freed)
      for (auto* parameter : model.trainable()) parameter->gradient.drop();
  }
  f.finish();
}

void infer(Framework& f) {
  Transformer model(f);
  const auto& w = f.workload();
  for (; f.iteration < w.iterations; ++f.iteration) {
    f.set_stream(
        f.iteration % w.streams == 0 ? 0 : Framework::side_stream(f.iteration % w.streams - 1));
    f.batch = w.batch;
    f.length = next_length(w, f.random());
    const auto rows = f.batch * f.length;
    const auto inputs = f.tensor(rows * Framework::kIndex);
    const auto logits = model.forward(inputs, rows);
    const auto next = f.tensor(f.batch * Framework::kIndex);
  }
  f.finish();
}

// Requests come at random while there is room, write a random number of tokens, and leave.
void serve(Framework& f) {
  Transformer model(f);
  const auto& w = f.workload();
  Requests requests;
  for (; f.iteration < w.iterations; ++f.iteration) {
    while (requests.size() < w.batch && f.random().between(0, 1) == 1) {
      auto& request = requests.emplace_back();
      const auto prompt = std::max<std::uint64_t>(1, w.sequence / 2);
      request.fresh = f.random().between(std::max<std::uint64_t>(1, prompt / 8), prompt);
      request.remaining = f.random().between(1, std::max<std::uint64_t>(1, w.sequence - prompt));
    }
    std::uint64_t rows = 0;
    for (const auto& request : requests) rows += request.fresh;
    if (rows == 0) continue;
    f.batch = 1;
    f.length = rows;
    {
      const auto inputs = f.tensor(rows * Framework::kIndex);
      const auto logits = model.forward(inputs, rows, &requests);
      const auto next = f.tensor(requests.size() * Framework::kIndex);
    }
    for (auto& request : requests) {
      request.cached += std::exchange(request.fresh, 1);
      --request.remaining;
    }
    requests.remove_if([](const Request& request) { return request.remaining == 0; });
  }
  f.finish();
}

}  // namespace

void generate(const Workload& workload, CsvWriter& writer) {
  if (workload.mode == Mode::pipeline) return pipeline(workload, writer);
  Recorder recorder(writer);
  Framework framework(recorder, workload);
  framework.recording = workload.mode == Mode::training;
  if (workload.mode == Mode::training)
    train(framework);
  else if (workload.kv_cache != KvCache::none)
    serve(framework);
  else
    infer(framework);
}

}  // namespace gmlake::trace::generate
