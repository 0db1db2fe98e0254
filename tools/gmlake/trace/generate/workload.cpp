// Presets and validation; see workload.h. Shapes are those of the published models.
#include "trace/generate/workload.h"

#include <algorithm>
#include <array>

#include <spdlog/fmt/fmt.h>

namespace gmlake::trace::generate {
namespace {

struct Preset {
  std::string_view name;
  Shape shape;
};
// layers, hidden, heads, kv_heads, ffn, vocabulary, context, experts, gated
constexpr std::array<Preset, 14> kPresets{
    {{"gpt2", {12, 768, 12, 12, 3072, 50257, 1024, 0, false}},
     {"gpt2-medium", {24, 1024, 16, 16, 4096, 50257, 1024, 0, false}},
     {"gpt2-large", {36, 1280, 20, 20, 5120, 50257, 1024, 0, false}},
     {"gpt2-xl", {48, 1600, 25, 25, 6400, 50257, 1024, 0, false}},
     {"opt-1.3b", {24, 2048, 32, 32, 8192, 50272, 2048, 0, false}},
     {"opt-13b", {40, 5120, 40, 40, 20480, 50272, 2048, 0, false}},
     {"gpt-neox-20b", {44, 6144, 64, 64, 24576, 50432, 2048, 0, false}},
     {"llama-1b", {16, 2048, 32, 8, 8192, 128256, 131072, 0, true}},
     {"llama-7b", {32, 4096, 32, 32, 11008, 32000, 4096, 0, true}},
     {"llama-8b", {32, 4096, 32, 8, 14336, 128256, 8192, 0, true}},
     {"llama-13b", {40, 5120, 40, 40, 13824, 32000, 4096, 0, true}},
     {"llama-70b", {80, 8192, 64, 8, 28672, 32000, 4096, 0, true}},
     {"mixtral-8x7b", {32, 4096, 32, 8, 14336, 32000, 32768, 8, true}},
     {"tiny", {2, 256, 4, 4, 1024, 8192, 512, 0, false}}}};

}  // namespace

std::optional<Shape> preset(std::string_view name) {
  const auto* found = std::find_if(kPresets.begin(), kPresets.end(),
                                   [&](const Preset& p) { return p.name == name; });
  if (found == kPresets.end()) return {};
  return found->shape;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& known : kPresets) names.emplace_back(known.name);
  return names;
}

std::uint64_t next_length(const Workload& w, Random& random) {
  const auto full = w.sequence;
  if (w.lengths == Lengths::fixed) return full;
  const auto length = random.between(std::max<std::uint64_t>(1, full / 4), full);
  if (w.lengths == Lengths::random) return length;
  const auto step = std::max<std::uint64_t>(1, full / 8);
  return std::min(full, round_up(length, step));
}

std::optional<std::string> problem(const Workload& w) {
  const auto& s = w.shape;
  constexpr std::uint64_t kMost = 1U << 20;
  struct Field {
    const char* name;
    std::uint64_t value;
  };
  for (const auto& [name, value] : std::array<Field, 10>{{{"--layers", s.layers},
                                                          {"--hidden", s.hidden},
                                                          {"--heads", s.heads},
                                                          {"--ffn", s.ffn},
                                                          {"--vocab", s.vocabulary},
                                                          {"--sequence", w.sequence},
                                                          {"--batch", w.batch},
                                                          {"--iterations", w.iterations},
                                                          {"--streams", w.streams},
                                                          {"--depth", w.depth}}})
    if (value == 0 || value > kMost)
      return fmt::format("{} is {}; give a number from 1 to {}", name, value, kMost);
  if (s.hidden % s.heads != 0)
    return fmt::format("--hidden {} is no multiple of --heads {}", s.hidden, s.heads);
  if (s.kv_heads == 0 || s.heads % s.kv_heads != 0)
    return fmt::format("--heads {} is no multiple of --kv-heads {}", s.heads, s.kv_heads);
  if (w.lora_rank > s.hidden)
    return fmt::format("--lora {} is above --hidden {}", w.lora_rank, s.hidden);
  if (s.experts == 1 || s.experts > 4096) return "--experts takes 2 to 4096 experts, or 0 for none";
  if (w.streams > 256) return "--streams takes 1 to 256 streams";
  if (w.depth > 1024) return "--depth takes 1 to 1024 slots";
  if (w.mode == Mode::pipeline && w.streams < 2)
    return "--mode pipeline takes --streams 2 or more, one for each stage";
  if (w.kv_cache != KvCache::none && w.mode != Mode::inference)
    return "--kv-cache belongs to --mode inference";
  if (w.mode != Mode::training &&
      (w.recompute != Recompute::none || w.offload != Offload::none || w.clip_gradients))
    return "--recompute, --offload and --clip-gradients belong to --mode training";
  return {};
}

}  // namespace gmlake::trace::generate
